import { describe, expect, it } from "vitest";

import { checkSentence, dayText, FIGURES, publicCheckWords, type PublicCheck } from "./transparency";

const check = (values: Partial<PublicCheck>): PublicCheck => ({
  name: "replay",
  ok: true,
  at: "2026-11-03T06:17:00Z",
  problems: 0,
  checked: 48_211,
  ...values,
});

describe("the words of a check", () => {
  it("says how much was looked at", () => {
    expect(checkSentence(check({})).text).toBe("48,211 movements of money looked at, nothing wrong.");
    expect(checkSentence(check({ checked: 1 })).text).toBe("1 movement of money looked at, nothing wrong.");
  });

  it("tells of the payment services what was compared and what is open", () => {
    const services = { name: "reconciliation" as const };
    expect(checkSentence(check({ ...services, checked: 2 })).text).toBe(
      "2 payment services compared, no difference is open.",
    );
    expect(checkSentence(check({ ...services, ok: false, problems: 1 }))).toEqual({
      state: "Being looked into",
      text: "1 difference is open and being explained.",
      tone: "bad",
    });
  });

  it("never calls something in order that was not checked, or failed", () => {
    expect(checkSentence(check({ ok: null, at: null })).state).toBe("Not checked yet");
    expect(checkSentence(check({ ok: false, problems: 3 }))).toEqual({
      state: "Not in order",
      text: "3 problems were found. Our staff have been told.",
      tone: "bad",
    });
  });
});

it("has words for every total and every check", () => {
  expect(new Set(FIGURES.map((f) => f.measure)).size).toBe(7);
  for (const name of ["invariants", "replay", "reconciliation"] as const)
    expect(publicCheckWords(name).title).not.toBe("");
});

it("writes days without shifting them into the reader's zone", () => {
  expect(dayText("2026-11-02")).toBe("2 Nov 2026");
  expect(dayText("")).toBe("");
});
