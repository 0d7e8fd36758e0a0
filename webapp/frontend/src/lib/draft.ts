/** What somebody typed, kept in this tab until it is sent. Storage that is full or forbidden only costs the draft. */
const PREFIX = "draft:";

export interface Store {
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
  removeItem(key: string): void;
}

export function loadDraft<T>(key: string, store: Store = sessionStorage): Partial<T> | undefined {
  try {
    const kept = store.getItem(PREFIX + key);
    const value: unknown = kept === null ? undefined : JSON.parse(kept);
    return typeof value === "object" && value !== null ? (value as Partial<T>) : undefined;
  } catch {
    return undefined;
  }
}

export function saveDraft(key: string, values: object, store: Store = sessionStorage): void {
  try {
    store.setItem(PREFIX + key, JSON.stringify(values));
  } catch {
    // A full or forbidden storage must not stop anybody from typing.
  }
}

export function clearDraft(key: string, store: Store = sessionStorage): void {
  store.removeItem(PREFIX + key);
}

/** Whether two forms say the same: texts that are empty, and lists of nothing but such texts, say nothing. */
export function sameContent(one: object, other: object): boolean {
  const empty = (value: unknown): boolean => value === "" || (Array.isArray(value) && value.every(empty));
  const content = (form: object) => JSON.stringify(form, (_, value: unknown) => (empty(value) ? undefined : value));
  return content(one) === content(other);
}
