/** What somebody was doing when they left for the gateway's page, kept in this tab until they are back. */
export interface Leaving {
  kind: "payment" | "method";
  id: number;
  /** The page to go on with. */
  to: string;
}

interface Store {
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
  removeItem(key: string): void;
}

const SLOT = "paying";

export function rememberLeaving(leaving: Leaving, store: Store = sessionStorage): void {
  store.setItem(SLOT, JSON.stringify(leaving));
}

/** What was remembered, or undefined; text that is none of ours is forgotten. */
export function leavingOf(store: Store = sessionStorage): Leaving | undefined {
  try {
    const found = JSON.parse(store.getItem(SLOT) ?? "null") as Leaving | null;
    if (found && ["payment", "method"].includes(found.kind) && Number.isSafeInteger(found.id) && found.id > 0)
      return found;
  } catch {
    // fall through: unreadable
  }
  store.removeItem(SLOT);
  return undefined;
}

/** The page that a payment was made from; undefined for another payment. */
export function pageBefore(paymentId: number, store: Store = sessionStorage): string | undefined {
  const found = leavingOf(store);
  return found?.kind === "payment" && found.id === paymentId && /^\/(?!\/)/.test(found.to) ? found.to : undefined;
}
