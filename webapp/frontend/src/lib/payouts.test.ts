import { describe, expect, it } from "vitest";

import type { Payout, PayoutSchedule } from "@/api/types";
import { paceText, payoutStory } from "./payouts";

const payout: Payout = {
  id: 3,
  state: "requested",
  provider: "sandbox",
  amount_minor: 12_050,
  currency: "USD",
  failure_code: "",
  failure_words: "",
  hold_reason: "",
  hold_words: "",
  held_until: null,
  created_at: "2026-03-19T09:00:00Z",
  settled_at: null,
};

describe("a payout in words", () => {
  it("says why it is held and when it is sent", () => {
    const held = {
      ...payout,
      state: "held" as const,
      hold_words: "It is your first payout.",
      held_until: "2026-03-20T09:00:00Z",
    };
    expect(payoutStory(held)).toEqual({
      text: "It is your first payout.",
      at: "2026-03-20T09:00:00Z",
      atText: "It is sent on",
    });
  });

  it("gives no date where a person decides", () => {
    const held = { ...payout, state: "held" as const, hold_words: "A person looks at it." };
    expect(payoutStory(held)).toEqual({
      text: "A person looks at it. There is no date yet; you are told what was decided.",
      at: null,
      atText: "",
    });
  });

  it("says why it failed and where the money is", () => {
    const failed = {
      ...payout,
      state: "failed" as const,
      failure_code: "account_closed",
      failure_words: "It is closed.",
    };
    expect(payoutStory(failed).text).toBe("It is closed. The money is on your balance again.");
  });

  it("does not promise the money of one that was perhaps paid after all", () => {
    const after = { ...payout, state: "failed" as const, failure_code: "paid_after_all", failure_words: "Looked at." };
    expect(payoutStory(after).text).toBe("Looked at.");
  });

  it("says when it was paid", () => {
    const paid = { ...payout, state: "paid" as const, settled_at: "2026-03-21T09:00:00Z" };
    expect(payoutStory(paid)).toEqual({ text: "", at: "2026-03-21T09:00:00Z", atText: "Paid on" });
  });
});

describe("a schedule in words", () => {
  it("is by hand where there is none", () => {
    expect(paceText(undefined)).toBe("Only when I ask");
    expect(paceText({ pace: "manual" } as PayoutSchedule)).toBe("Only when I ask");
    expect(paceText({ pace: "monthly" } as PayoutSchedule)).toBe("On the first of the month, 06:00 UTC");
  });
});
