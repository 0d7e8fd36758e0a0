/**
 * About what amounts are worth in the reader's own currency. Asked for together, remembered until the page is loaded again, and left out
 * when there is no answer: an estimate is a help, never a price.
 */
import { reactive } from "vue";

import { api, ApiError, body } from "./client";
import type { Amount } from "./types";

const MOST = 20;

type Ask = (amounts: string[], currency: string) => Promise<(Amount | null)[]>;

async function askServer(amount: string[], currency: string): Promise<(Amount | null)[]> {
  const query = { amount, currency };
  const { results } = await body(api.GET("/api/v1/money-estimates", { params: { query } }));
  return results.map((result) => result.worth);
}

export class Estimates {
  private readonly known = reactive(new Map<string, Amount>());
  /** Not reactive: reading an estimate that is asked for changes nothing that is shown. */
  private readonly asked = new Set<string>();
  private readonly waiting = new Map<string, Set<string>>();

  constructor(private readonly ask: Ask = askServer) {}

  /** Reactive: undefined until it is known, and where there is none. */
  of(amount: Amount, currency: string): Amount | undefined {
    if (amount.currency === currency || amount.minor <= 0 || !currency) return undefined;
    const text = `${amount.minor}.${amount.currency}`;
    const key = `${text}>${currency}`;
    if (!this.asked.has(key)) this.queue(text, currency);
    this.asked.add(key);
    return this.known.get(key);
  }

  private queue(text: string, currency: string): void {
    if (this.waiting.size === 0) queueMicrotask(() => void this.send());
    const texts = this.waiting.get(currency) ?? new Set();
    this.waiting.set(currency, texts.add(text));
  }

  private async send(): Promise<void> {
    const asked = [...this.waiting].map(([currency, texts]) => [currency, [...texts]] as const);
    this.waiting.clear();
    for (const [currency, texts] of asked) {
      for (let i = 0; i < texts.length; i += MOST) await this.take(texts.slice(i, i + MOST), currency);
    }
  }

  private async take(texts: string[], currency: string): Promise<void> {
    try {
      const found = await this.ask(texts, currency);
      texts.forEach((text, i) => {
        const worth = found[i];
        if (worth) this.known.set(`${text}>${currency}`, worth);
      });
    } catch (cause) {
      if (!(cause instanceof ApiError)) throw cause;
    }
  }
}

export const estimates = new Estimates();
