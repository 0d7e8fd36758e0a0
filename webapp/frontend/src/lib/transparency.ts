/** Words for the public totals and checks. */
import type { components } from "@/api/schema";

export type PublicCheck = components["schemas"]["PublicCheck"];
type Measure = components["schemas"]["PublicFigure"]["measure"];

/** Every total, in the order of the page. */
export const FIGURES: readonly { measure: Measure; title: string; about: string }[] = [
  {
    measure: "escrow",
    title: "Held for milestones",
    about: "Paid in by clients and set aside for one piece of work each, until it is approved, refunded or settled.",
  },
  { measure: "wallets", title: "In clients' wallets", about: "Paid in by clients and not committed to any work." },
  {
    measure: "freelancers",
    title: "Freelancers' balances",
    about: "Earned by freelancers: clearing, or available and not yet paid out.",
  },
  { measure: "in_transit", title: "On its way out", about: "Left a balance here and has not arrived at a bank yet." },
  {
    measure: "clearing",
    title: "At the payment services",
    about: "What our books say that the payment services hold for all of the above, and for our fees and taxes.",
  },
  { measure: "paid_out", title: "Paid out in 30 days", about: "Arrived with freelancers, less what banks sent back." },
  { measure: "fees", title: "Fees in 30 days", about: "What Openlance took for its service, less what it gave back." },
];

const CHECKS: Record<PublicCheck["name"], { title: string; about: string }> = {
  invariants: {
    title: "The rules of the books",
    about: "Every movement is complete, balanced, in one currency, with a cause; no account of a person is below zero.",
  },
  replay: {
    title: "Balances and their history",
    about: "Each stored balance is summed up again from every movement there ever was.",
  },
  reconciliation: {
    title: "Our books and the payment services'",
    about: "Every day is compared with what the payment services say that they hold and have moved.",
  },
};

export function publicCheckWords(name: PublicCheck["name"]): { title: string; about: string } {
  return CHECKS[name];
}

const count = (n: number, one: string, many: string) => `${n.toLocaleString("en")} ${n === 1 ? one : many}`;

/** What a check came to: a word, a sentence, and the tone of the word's badge. */
export function checkSentence(check: PublicCheck): { state: string; text: string; tone: "going" | "bad" | "done" } {
  if (check.ok === null) return { state: "Not checked yet", text: "There is no result yet.", tone: "done" };
  const services = check.name === "reconciliation";
  if (check.ok) {
    const seen = services
      ? `${count(check.checked, "payment service", "payment services")} compared, no difference is open.`
      : `${count(check.checked, "movement", "movements")} of money looked at, nothing wrong.`;
    return { state: "In order", text: seen, tone: "going" };
  }
  if (services)
    return {
      state: "Being looked into",
      text: `${count(check.problems, "difference is", "differences are")} open and being explained.`,
      tone: "bad",
    };
  const text = `${count(check.problems, "problem was", "problems were")} found. Our staff have been told.`;
  return { state: "Not in order", text, tone: "bad" };
}

/** "2 Nov 2026" for an ISO day. */
export function dayText(day: string): string {
  if (!day) return "";
  return new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeZone: "UTC" }).format(
    new Date(`${day}T00:00:00Z`),
  );
}
