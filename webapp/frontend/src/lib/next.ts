import type { Router } from "vue-router";

/** Addresses that the server answers itself: the router does not know them. */
const SERVER_PAGES = ["/identity/", "/admin/", "/api/", "/accounts/"];

/** The page to go to after signing in: only addresses of this site, so that a link cannot send people elsewhere. */
export function safeNext(next: unknown): string {
  if (typeof next !== "string" || !/^\/(?![/\\])/.test(next) || /[\\\s]/.test(next)) return "/";
  return next;
}

/** Goes to `next` within the app, or as a full page load where the server owns the address. */
export async function leaveTo(router: Router, next: unknown): Promise<void> {
  const address = safeNext(next);
  if (SERVER_PAGES.some((prefix) => address.startsWith(prefix))) window.location.assign(address);
  else await router.push(address);
}
