import { nextTick } from "vue";
import { createRouter, createWebHistory, type RouteLocationNormalized, type RouteRecordRaw } from "vue-router";

import { ApiError, onSignedOut } from "./api/client";
import { forgetSession, loadSession, session } from "./api/session";
import { outage } from "./outage";

declare module "vue-router" {
  interface RouteMeta {
    title?: string;
    /** Pages that people without a session may see; every other page asks them to sign in first. */
    open?: boolean;
  }
}

const id = (route: RouteLocationNormalized) => ({ id: Number(route.params.id) });

const routes: RouteRecordRaw[] = [
  { path: "/", component: () => import("./pages/HomePage.vue"), meta: { title: "Home", open: true } },
  { path: "/sign-in", component: () => import("./pages/SignInPage.vue"), meta: { title: "Sign in", open: true } },
  {
    path: "/sign-up",
    component: () => import("./pages/SignUpPage.vue"),
    meta: { title: "Create an account", open: true },
  },
  {
    path: "/verify-email/:key?",
    component: () => import("./pages/VerifyEmailPage.vue"),
    meta: { title: "Confirm your e-mail", open: true },
  },
  { path: "/jobs", component: () => import("./pages/JobsPage.vue"), meta: { title: "Find jobs", open: true } },
  { path: "/jobs/new", component: () => import("./pages/JobEditPage.vue"), meta: { title: "Post a job" } },
  {
    path: String.raw`/jobs/:id(\d+)`,
    component: () => import("./pages/JobPage.vue"),
    props: id,
    meta: { title: "Job", open: true },
  },
  {
    path: String.raw`/jobs/:id(\d+)/edit`,
    component: () => import("./pages/JobEditPage.vue"),
    props: id,
    meta: { title: "Edit job" },
  },
  {
    path: String.raw`/jobs/:id(\d+)/propose`,
    component: () => import("./pages/ProposePage.vue"),
    props: id,
    meta: { title: "Propose" },
  },
  {
    path: String.raw`/jobs/:id(\d+)/proposals`,
    component: () => import("./pages/JobProposalsPage.vue"),
    props: id,
    meta: { title: "Proposals" },
  },
  {
    path: "/recommended",
    component: () => import("./pages/RecommendedPage.vue"),
    meta: { title: "Recommended for you" },
  },
  { path: "/proposals", component: () => import("./pages/MyProposalsPage.vue"), meta: { title: "My proposals" } },
  {
    path: String.raw`/proposals/:id(\d+)`,
    component: () => import("./pages/ProposalPage.vue"),
    props: id,
    meta: { title: "Proposal" },
  },
  { path: "/my-jobs", component: () => import("./pages/MyJobsPage.vue"), meta: { title: "My jobs" } },
  { path: "/contracts", component: () => import("./pages/ContractsPage.vue"), meta: { title: "Contracts" } },
  {
    path: String.raw`/contracts/:id(\d+)`,
    component: () => import("./pages/ContractPage.vue"),
    props: id,
    meta: { title: "Contract" },
  },
  {
    path: String.raw`/disputes/:id(\d+)`,
    component: () => import("./pages/DisputePage.vue"),
    props: id,
    meta: { title: "Dispute" },
  },
  {
    path: String.raw`/freelancers/:id(\d+)`,
    component: () => import("./pages/FreelancerPage.vue"),
    props: id,
    meta: { title: "Freelancer" },
  },
  {
    path: "/transparency",
    component: () => import("./pages/TransparencyPage.vue"),
    meta: { title: "Transparency", open: true },
  },
  { path: "/money", component: () => import("./pages/MoneyPage.vue"), meta: { title: "Money" } },
  { path: "/payouts", component: () => import("./pages/PayoutsPage.vue"), meta: { title: "Payouts" } },
  // where gateways send payees back to
  { path: "/settings/payouts", redirect: (to) => ({ path: "/payouts", query: to.query }) },
  { path: "/statements", component: () => import("./pages/StatementsPage.vue"), meta: { title: "Statements" } },
  { path: "/documents", component: () => import("./pages/DocumentsPage.vue"), meta: { title: "Documents" } },
  { path: "/wallet", component: () => import("./pages/WalletPage.vue"), meta: { title: "Wallet" } },
  { path: "/pay/back", component: () => import("./pages/PayBackPage.vue"), meta: { title: "Payment" } },
  {
    path: String.raw`/payments/:id(\d+)`,
    component: () => import("./pages/PaymentPage.vue"),
    props: id,
    meta: { title: "Payment" },
  },
  { path: "/profile", component: () => import("./pages/ProfilePage.vue"), meta: { title: "Profile" } },
  { path: "/inbox", component: () => import("./pages/InboxPage.vue"), meta: { title: "Inbox" } },
  {
    path: "/:rest(.*)*",
    component: () => import("./pages/NotFoundPage.vue"),
    meta: { title: "Page not found", open: true },
  },
];

export const router = createRouter({
  history: createWebHistory("/"),
  routes,
  scrollBehavior: (to, from, saved) => saved ?? (to.path === from.path ? false : { top: 0 }),
});

export function signInAddress(next: string): { path: string; query: { next: string } } {
  return { path: "/sign-in", query: { next } };
}

router.beforeEach(async (to) => {
  if (!session.known) {
    try {
      await loadSession();
      outage.value = false;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      outage.value = true;
      return true;
    }
  }
  if (!to.meta.open && !session.me) return signInAddress(to.fullPath);
  return true;
});

router.afterEach((to, from, failure) => {
  if (failure) return;
  document.title = to.meta.title ? `${to.meta.title} · Openlance` : "Openlance";
  // A new page starts at its heading, for screen readers and keyboards; a change of the query stays where it is.
  if (from.matched.length > 0 && to.path !== from.path) {
    void nextTick(() => document.querySelector<HTMLElement>("main")?.focus({ preventScroll: true }));
  }
});

onSignedOut(() => {
  const wasIn = session.me !== null;
  forgetSession();
  const here = router.currentRoute.value;
  if (wasIn && !here.meta.open) void router.push(signInAddress(here.fullPath));
});
