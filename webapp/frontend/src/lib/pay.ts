/** What pages of paying decide without the server: which ways there are, how a payment stands, what to say, and when to ask again. */
import type { Balances, ExchangeQuote, OfferedGateway, Payment, SavedMethod } from "@/api/types";

import { formatMoney } from "./money";
import { capitalise } from "./words";

/** `act`: the payer has something to do in the browser. `back`: it was paid, and went back in part or whole. */
export type Stage = "act" | "phone" | "waiting" | "look" | "paid" | "back" | "refused" | "cancelled";

type PaymentLike = Pick<Payment, "state" | "failure_code" | "next_action">;

export function stageOf(payment: PaymentLike): Stage {
  switch (payment.state) {
    case "succeeded":
      return "paid";
    case "partially_refunded":
    case "refunded":
    case "charged_back":
      return "back";
    case "failed":
      return "refused";
    case "cancelled":
      return "cancelled";
    default:
      if (payment.failure_code === "amount_differs") return "look";
      if (payment.next_action?.kind === "phone") return "phone";
      return payment.next_action ? "act" : "waiting";
  }
}

/** True while the payment may still change by itself or by its payer. */
export function isOpen(payment: PaymentLike): boolean {
  return ["act", "phone", "waiting"].includes(stageOf(payment));
}

const FAILURES: Record<string, string> = {
  declined: "The bank refused it. Use another card, or ask your bank why.",
  insufficient_funds: "There is not enough money on this card or account.",
  card_expired: "The card has expired.",
  card_details_wrong: "A number of the card was not right.",
  authentication_required: "The bank wants you to confirm it, and that did not happen.",
  authentication_failed: "You did not confirm it on your bank's page.",
  currency_not_supported: "This card cannot pay in this currency.",
  cancelled_by_payer: "You cancelled it on the phone.",
  prompt_expired: "The prompt on the phone was not answered in time.",
  payer_unreachable: "The phone could not be reached. Is it on, and has it a signal?",
  payer_busy: "The phone was busy with another payment. Try again in a minute.",
  pin_wrong: "The PIN was not right.",
  gateway_refused: "The one who takes the payment refused it.",
  gateway_unavailable: "The one who takes the payment could not be reached.",
  credited: "Another amount came than was asked for. It is in your wallet.",
};

/** Why a payment was refused, in a sentence; always ends with what became of the money. */
export function refusalText(code: string): string {
  const why = FAILURES[code] ?? (code ? `The reason given is “${capitalise(code)}”.` : "It was refused.");
  return code === "credited" ? why : `${why} Nothing was taken.`;
}

/** Milliseconds until the state is asked for the `turn`-th time; null when the page stops asking by itself (after about eleven minutes). */
export function nextLook(turn: number): number | null {
  if (turn < 5) return 2_000;
  if (turn < 15) return 4_000;
  if (turn < 65) return 12_000;
  return null;
}

/** Every third time the gateway itself is asked, not only our own record. */
export function asksGateway(turn: number): boolean {
  return turn % 3 === 2;
}

export interface Way {
  id: string;
  kind: "wallet" | "saved" | "gateway";
  provider: string;
  flow: OfferedGateway["flow"] | "none";
  title: string;
  note: string;
  /** Why it cannot be chosen now; empty when it can. */
  blocked: string;
  gateway?: OfferedGateway;
  method?: SavedMethod;
}

const GATEWAYS: Record<string, [string, string]> = {
  sandbox: ["Test card", "No real money moves."],
  stripe: ["Card or bank", "Typed into Stripe's own form: we never see the number."],
  paypal: ["PayPal", "You confirm on PayPal's page and come back here."],
  mpesa: ["M-Pesa", "You confirm with your PIN on your phone."],
};

/** "Visa ending in 4242" */
export function methodName(method: Pick<SavedMethod, "brand" | "last4" | "provider">): string {
  const brand = method.brand ? capitalise(method.brand) : gatewayName(method.provider);
  return method.last4 ? `${brand} ending in ${method.last4}` : brand;
}

export function gatewayName(provider: string): string {
  if (provider === "wallet") return "Wallet";
  return GATEWAYS[provider]?.[0] ?? capitalise(provider);
}

/** "12/2034"; empty where the gateway told none. */
export function expiryText(method: Pick<SavedMethod, "exp_month" | "exp_year">): string {
  if (!method.exp_month || !method.exp_year) return "";
  return `${String(method.exp_month).padStart(2, "0")}/${method.exp_year}`;
}

export function hasExpired(method: Pick<SavedMethod, "exp_month" | "exp_year">, now: number): boolean {
  return (
    Boolean(method.exp_month && method.exp_year) && now >= Date.UTC(method.exp_year ?? 0, method.exp_month ?? 0, 1)
  );
}

interface Choice {
  offered: readonly OfferedGateway[];
  saved: readonly SavedMethod[];
  currency: string;
  /** Undefined while nothing was typed yet. */
  amount: number | undefined;
  now: number;
  /** Undefined where the wallet itself is paid into. */
  balances: readonly Balances[] | undefined;
}

/** Every way to pay, saved means first, the wallet last: what can be chosen stands before what cannot. */
export function waysToPay({ offered, saved, currency, amount, now, balances }: Choice): Way[] {
  const there = new Map(offered.map((gateway) => [gateway.provider, gateway]));
  const ways: Way[] = [];
  for (const method of saved) {
    const gateway = there.get(method.provider);
    if (method.state !== "ready" || !gateway) continue;
    const expires = expiryText(method);
    ways.push({
      id: `saved:${method.id}`,
      kind: "saved",
      provider: method.provider,
      flow: "none",
      title: methodName(method),
      note: expires ? `Expires ${expires}` : "",
      blocked: hasExpired(method, now) ? `Expired ${expires}. Save the new card in your wallet.` : "",
      gateway,
      method,
    });
  }
  for (const gateway of offered) {
    const [title, note] = GATEWAYS[gateway.provider] ?? [capitalise(gateway.provider), ""];
    // A form of the gateway's own needs the key that it gives to browsers.
    const blocked = gateway.flow === "element" && !gateway.publishable_key ? "Its form is not set up here." : "";
    ways.push({
      id: gateway.provider,
      kind: "gateway",
      provider: gateway.provider,
      flow: gateway.flow,
      title,
      note,
      blocked,
      gateway,
    });
  }
  if (balances) {
    const balance = balances.find((b) => b.currency === currency)?.wallet.minor ?? 0;
    if (balance > 0) {
      const short = amount !== undefined && balance < amount;
      ways.push({
        id: "wallet",
        kind: "wallet",
        provider: "wallet",
        flow: "none",
        title: "Your wallet",
        note: `It holds ${formatMoney(balance, currency)}.`,
        blocked: short ? `It holds ${formatMoney(balance, currency)}: not enough for this.` : "",
      });
    }
  }
  return [...ways.filter((way) => !way.blocked), ...ways.filter((way) => way.blocked)];
}

/** Test cards of the sandbox by the fate of a payment with them. */
export const TEST_CARDS = [
  { token: "tok_visa", text: "Visa ending in 4242: succeeds" },
  { token: "tok_mastercard", text: "Mastercard ending in 4444: succeeds" },
  { token: "tok_3ds", text: "Card ending in 3155: its bank asks you (3-D Secure)" },
  { token: "tok_delayed", text: "Card ending in 0077: confirmed half a minute later" },
  { token: "tok_declined", text: "Card ending in 0002: declined" },
  { token: "tok_insufficient_funds", text: "Card ending in 9995: not enough money" },
  { token: "tok_timeout", text: "Card ending in 0341: its answer is lost on the way" },
  { token: "tok_dispute", text: "Card ending in 0259: taken back by its bank" },
  { token: "tok_refund_fails", text: "Card ending in 7726: a refund to it fails" },
] as const;

/** What the server is told of the way that was chosen. */
export function methodOf(way: Way, details: { token: string; phone: string }): Record<string, string> {
  if (way.kind === "saved") return { saved_method_id: String(way.method?.id) };
  switch (way.flow) {
    case "token":
      return { token: details.token };
    case "element":
      return { token: "element" };
    case "phone":
      return { phone: details.phone.trim() };
    default:
      return {};
  }
}

/** A Kenyan mobile number as people write it: 07…, 01…, +254 7…, 254 1…. The server decides; this saves a round. */
export function phoneProblem(phone: string): string {
  const digits = phone.replace(/[\s-]/g, "");
  if (digits === "") return "Give the number of the phone that pays.";
  return /^(?:\+?254|0)[17]\d{8}$/.test(digits) ? "" : "Give a Kenyan mobile number such as 0712 345678.";
}

/** Whole seconds that are left, never below zero. */
export function secondsLeft(until: string, now: number): number {
  return Math.max(0, Math.floor((new Date(until).getTime() - now) / 1000));
}

/** "14:05" */
export function clockText(seconds: number): string {
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}

const SOURCES: Record<string, string> = {
  ecb: "European Central Bank",
  admin: "set by Openlance",
  derived: "computed from two rates",
};

/** "European Central Bank" */
export function sourceText(source: string): string {
  // A derived rate's name also holds the days of the two that it was made of.
  return SOURCES[source.split(":")[0] ?? ""] ?? capitalise(source);
}

/** "1 EUR = 1.0823 USD" */
export function rateText(quote: Pick<ExchangeQuote, "sell" | "buy" | "rate">): string {
  return `1 ${quote.sell.currency} = ${Number(quote.rate)
    .toPrecision(6)
    .replace(/\.?0+$/, "")} ${quote.buy.currency}`;
}

/** "0.5 %" */
export function spreadText(bps: number): string {
  return `${bps / 100}\u00a0%`;
}

/** The currencies to choose from: the work's own, the reader's, those of the wallet, then all others; each once. */
export function payCurrencies(
  own: string,
  readers: string,
  balances: readonly Balances[],
  all: readonly string[],
): string[] {
  const filled = balances.filter((b) => b.wallet.minor > 0).map((b) => b.currency);
  return [...new Set([own, readers, ...filled, ...all])].filter(Boolean);
}

/** Where a browser may be sent to pay: https, or this very site (the sandbox's bank). Anything else is null. */
export function payAddress(url: string | undefined, origin: string): string | null {
  if (!url) return null;
  try {
    const parsed = new URL(url, origin);
    return parsed.protocol === "https:" || parsed.origin === origin ? parsed.href : null;
  } catch {
    return null;
  }
}

/** What can still go back of a payment: no more than what is left of it, nor than what the wallet holds. */
export function mostBack(
  payment: Pick<Payment, "state" | "amount_minor" | "received_minor" | "currency">,
  refunds: readonly { state: string; amount_minor: number }[],
  balances: readonly Balances[],
): number {
  if (!["succeeded", "partially_refunded"].includes(payment.state)) return 0;
  const gone = refunds.filter((r) => r.state !== "failed").reduce((sum, r) => sum + r.amount_minor, 0);
  const wallet = balances.find((b) => b.currency === payment.currency)?.wallet.minor ?? 0;
  return Math.max(0, Math.min((payment.received_minor ?? payment.amount_minor) - gone, wallet));
}
