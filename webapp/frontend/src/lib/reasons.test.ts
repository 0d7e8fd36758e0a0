import { describe, expect, it } from "vitest";

import { barsOf, signedNumber } from "./reasons";

const part = (value: number) => ({ name: "n", value, text: "t" });

describe("bars of a score", () => {
  it("share one scale and one zero", () => {
    const bars = barsOf([part(-0.25), part(0.75)]);
    expect(bars.map(({ value, start, width }) => [value, start, width])).toEqual([
      [0.75, 25, 75],
      [-0.25, 0, 25],
    ]);
  });

  it("start at the left edge when nothing is negative", () => {
    expect(barsOf([part(0.5)]).map(({ start, width }) => [start, width])).toEqual([[0, 100]]);
  });

  it("survive a score without parts or with zeros only", () => {
    expect(barsOf([])).toEqual([]);
    expect(barsOf([part(0)])[0]?.width).toBe(0);
  });

  it("carry their sign in words", () => {
    expect([signedNumber(0.1234), signedNumber(-0.03)]).toEqual(["+0.123", "−0.030"]);
  });
});
