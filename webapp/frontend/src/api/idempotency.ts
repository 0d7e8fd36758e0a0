/**
 * One key for one intent. A retry of an undecided request (time-out, 5xx, still running) carries the same key, so the
 * server does it once; a changed request or a new intent gets a fresh key.
 */
import { ApiError } from "./client";

export interface KeyStore {
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
  removeItem(key: string): void;
}

export class Attempt {
  /** `name` tells intents apart ("proposal:17"); `store` keeps the key over a reload of the page. */
  constructor(
    private readonly name: string,
    private readonly store: KeyStore = sessionStorage,
    private readonly fresh: () => string = () => crypto.randomUUID(),
  ) {}

  /** Runs `send` with the key of this request; forgets the key as soon as the outcome is known. */
  async run<T>(request: unknown, send: (key: string) => Promise<T>): Promise<T> {
    const key = this.keyFor(JSON.stringify(request ?? null));
    try {
      const answer = await send(key);
      this.store.removeItem(this.slot);
      return answer;
    } catch (error) {
      if (error instanceof ApiError && !error.undecided) this.store.removeItem(this.slot);
      throw error;
    }
  }

  /** The request whose outcome is not known (also one of before a reload), or undefined. */
  get undecided(): unknown {
    const kept = this.store.getItem(this.slot);
    return kept ? (JSON.parse((JSON.parse(kept) as [string, string])[1]) as unknown) : undefined;
  }

  /** The person gives the undecided request up: what is sent next is another one. */
  giveUp(): void {
    this.store.removeItem(this.slot);
  }

  private get slot(): string {
    return `attempt:${this.name}`;
  }

  private keyFor(request: string): string {
    const kept = this.store.getItem(this.slot);
    if (kept) {
      const [key, of] = JSON.parse(kept) as [string, string];
      if (of === request) return key;
    }
    const key = this.fresh();
    this.store.setItem(this.slot, JSON.stringify([key, request]));
    return key;
  }
}
