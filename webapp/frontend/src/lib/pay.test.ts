import { describe, expect, it } from "vitest";

import type { Balances, OfferedGateway, SavedMethod } from "@/api/types";
import {
  asksGateway,
  clockText,
  hasExpired,
  isOpen,
  methodOf,
  mostBack,
  nextLook,
  payAddress,
  payCurrencies,
  phoneProblem,
  rateText,
  refusalText,
  secondsLeft,
  sourceText,
  spreadText,
  stageOf,
  waysToPay,
} from "./pay";

const NOW = Date.UTC(2026, 10, 29);
const gateway = (provider: string, flow: OfferedGateway["flow"], key = ""): OfferedGateway => ({
  provider,
  flow,
  saves_methods: true,
  refunds: true,
  publishable_key: key,
});
const card = (id: number, more: Partial<SavedMethod> = {}): SavedMethod => ({
  id,
  provider: "sandbox",
  state: "ready",
  brand: "visa",
  last4: "4242",
  exp_month: 12,
  exp_year: 2034,
  is_default: false,
  failure_code: "",
  next_action: null,
  created_at: "2026-11-01T00:00:00Z",
  ...more,
});
const balance = (currency: string, wallet: number): Balances => {
  const none = { minor: 0, currency };
  return {
    currency,
    wallet: { minor: wallet, currency },
    held: none,
    pending: none,
    available: none,
    in_transit: none,
  };
};
const ways = (more: Partial<Parameters<typeof waysToPay>[0]>) =>
  waysToPay({
    offered: [gateway("sandbox", "token")],
    saved: [],
    currency: "USD",
    amount: 75_000,
    now: NOW,
    balances: [],
    ...more,
  });

describe("how a payment stands", () => {
  const stage = (state: string, kind?: "redirect" | "stripe" | "phone", failure_code = "") =>
    stageOf({ state, failure_code, next_action: kind ? { kind } : null } as Parameters<typeof stageOf>[0]);

  it("follows its state, and what its payer still has to do", () => {
    expect(stage("created")).toBe("waiting");
    expect(stage("pending")).toBe("waiting");
    expect(stage("pending", "redirect")).toBe("act");
    expect(stage("pending", "stripe")).toBe("act");
    expect(stage("pending", "phone")).toBe("phone");
    expect(stage("succeeded")).toBe("paid");
    expect(stage("failed")).toBe("refused");
    expect(stage("cancelled")).toBe("cancelled");
    for (const state of ["refunded", "partially_refunded", "charged_back"]) expect(stage(state)).toBe("back");
  });

  it("asks nothing of the payer whose money differs, and is not asked about for ever", () => {
    expect(stage("pending", "redirect", "amount_differs")).toBe("look");
    expect(isOpen({ state: "pending", failure_code: "amount_differs", next_action: null })).toBe(false);
    expect(isOpen({ state: "pending", failure_code: "", next_action: null })).toBe(true);
    expect(isOpen({ state: "failed", failure_code: "declined", next_action: null })).toBe(false);
  });

  it("is asked for ever more seldom, every third time at the gateway, and then no more", () => {
    const waits: number[] = [];
    for (let turn = 0, wait = nextLook(0); wait !== null; wait = nextLook(++turn)) waits.push(wait);
    expect(waits.every((wait, i) => i === 0 || wait >= (waits[i - 1] ?? 0))).toBe(true);
    expect(waits.reduce((sum, wait) => sum + wait, 0)).toBe(650_000);
    expect([0, 1, 2, 3, 4, 5].map(asksGateway)).toEqual([false, false, true, false, false, true]);
  });

  it("says why it was refused and that nothing was taken", () => {
    expect(refusalText("declined")).toBe(
      "The bank refused it. Use another card, or ask your bank why. Nothing was taken.",
    );
    expect(refusalText("do_not_honour")).toBe("The reason given is “Do not honour”. Nothing was taken.");
    expect(refusalText("")).toBe("It was refused. Nothing was taken.");
    expect(refusalText("credited")).toBe("Another amount came than was asked for. It is in your wallet.");
  });
});

describe("the ways to pay", () => {
  it("are the saved cards of offered gateways, the gateways, and the wallet", () => {
    const saved = [card(1), card(2, { provider: "stripe" }), card(3, { state: "pending" })];
    const found = ways({ saved, balances: [balance("USD", 75_000), balance("EUR", 1)] });
    expect(found.map((way) => way.id)).toEqual(["saved:1", "sandbox", "wallet"]);
    expect(found[0]?.title).toBe("Visa ending in 4242");
    expect(found.every((way) => way.blocked === "")).toBe(true);
  });

  it("show what cannot be chosen last, and why", () => {
    const old = card(1, { exp_month: 10, exp_year: 2026 });
    const found = ways({
      saved: [old],
      offered: [gateway("stripe", "element"), gateway("sandbox", "token")],
      balances: [balance("USD", 74_999)],
    });
    expect(found.map((way) => way.id)).toEqual(["sandbox", "saved:1", "stripe", "wallet"]);
    expect(found[1]?.blocked).toContain("Expired 10/2026");
    expect(found[2]?.blocked).toBe("Its form is not set up here.");
    expect(found[3]?.blocked).toContain("$749.99 USD");
  });

  it("hold no wallet where the wallet is paid into, nor an empty one", () => {
    expect(ways({ balances: undefined }).map((way) => way.id)).toEqual(["sandbox"]);
    expect(ways({ balances: [balance("USD", 0)] }).map((way) => way.id)).toEqual(["sandbox"]);
  });

  it("tell the server no more than it needs", () => {
    const details = { token: "tok_visa", phone: " 0712 345678 " };
    const method = (flow: OfferedGateway["flow"], provider: string) =>
      methodOf(ways({ offered: [gateway(provider, flow, "pk_test_1")] })[0] as never, details);
    expect(method("token", "sandbox")).toEqual({ token: "tok_visa" });
    expect(method("element", "stripe")).toEqual({ token: "element" });
    expect(method("redirect", "paypal")).toEqual({});
    expect(method("phone", "mpesa")).toEqual({ phone: "0712 345678" });
    expect(methodOf(ways({ saved: [card(7)] })[0] as never, details)).toEqual({ saved_method_id: "7" });
  });

  it("take a card to the last day of its month", () => {
    const ends = { exp_month: 12, exp_year: 2026 };
    expect(hasExpired(ends, Date.UTC(2026, 11, 31, 23, 59, 59))).toBe(false);
    expect(hasExpired(ends, Date.UTC(2027, 0, 1))).toBe(true);
    expect(hasExpired({ exp_month: null, exp_year: null }, NOW)).toBe(false);
  });

  it("take phones as people write them", () => {
    for (const good of ["0712 345678", "+254 712-345-678", "254112345678"]) expect(phoneProblem(good)).toBe("");
    for (const bad of ["", "712345678", "+44 7700 900123", "07123456789"]) expect(phoneProblem(bad)).not.toBe("");
  });

  it("offer the work's currency first, then the reader's, then what the wallet holds", () => {
    const held = [balance("KES", 5), balance("GBP", 0)];
    expect(payCurrencies("USD", "EUR", held, ["USD", "GBP"])).toEqual(["USD", "EUR", "KES", "GBP"]);
    expect(payCurrencies("USD", "", [], ["USD"])).toEqual(["USD"]);
  });

  it("lead nowhere but to secure pages and to this site", () => {
    const here = "http://localhost:8000";
    expect(payAddress("https://www.paypal.com/x", here)).toBe("https://www.paypal.com/x");
    expect(payAddress("http://localhost:8000/sandbox/challenges/1", here)).toBe(
      "http://localhost:8000/sandbox/challenges/1",
    );
    for (const bad of ["http://evil.example/", "javascript:alert(1)", "data:text/html,x", "https://", "", undefined])
      expect(payAddress(bad, here)).toBeNull();
  });
});

describe("a price in another currency", () => {
  it("runs down to its last second and no further", () => {
    const until = "2026-11-29T00:15:00Z";
    expect(clockText(secondsLeft(until, NOW))).toBe("15:00");
    expect(secondsLeft(until, NOW + 899_001)).toBe(0);
    expect(secondsLeft(until, NOW + 899_000)).toBe(1);
    expect(secondsLeft(until, NOW + 2_000_000)).toBe(0);
    expect(clockText(9)).toBe("0:09");
  });

  it("names its rate and spread", () => {
    const sides = { sell: { minor: 1, currency: "EUR" }, buy: { minor: 1, currency: "USD" } };
    expect(rateText({ ...sides, rate: "1.0820" })).toBe("1 EUR = 1.082 USD");
    expect(rateText({ ...sides, rate: "130" })).toBe("1 EUR = 130 USD");
    expect(rateText({ ...sides, rate: "0.00772198" })).toBe("1 EUR = 0.00772198 USD");
    expect(sourceText("ecb")).toBe("European Central Bank");
    expect(sourceText("derived:2026-11-27:2026-11-27")).toBe("computed from two rates");
    expect(sourceText("open_rates")).toBe("Open rates");
    expect(spreadText(50)).toBe("0.5\u00a0%");
  });
});

describe("what can go back of a payment", () => {
  const payment = { state: "succeeded" as const, amount_minor: 10_000, received_minor: null, currency: "EUR" };
  it("is what is left of it, and what the wallet holds", () => {
    expect(mostBack(payment, [], [balance("EUR", 25_000)])).toBe(10_000);
    expect(mostBack(payment, [], [balance("EUR", 400), balance("USD", 99_999)])).toBe(400);
    const gone = [
      { state: "succeeded", amount_minor: 3_000 },
      { state: "pending", amount_minor: 2_000 },
      { state: "failed", amount_minor: 4_000 },
    ];
    expect(mostBack(payment, gone, [balance("EUR", 25_000)])).toBe(5_000);
    expect(mostBack({ ...payment, received_minor: 6_000 }, gone, [balance("EUR", 25_000)])).toBe(1_000);
    expect(mostBack({ ...payment, state: "failed" }, [], [balance("EUR", 25_000)])).toBe(0);
    expect(mostBack(payment, [], [])).toBe(0);
  });
});
