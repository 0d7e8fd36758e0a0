import { describe, expect, it } from "vitest";

import { barsOf, plainNumber, reasonsOf, signedNumber, sumOf } from "./reasons";

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
    expect([plainNumber(0.1234), plainNumber(-0.03), plainNumber(-0.0001)]).toEqual(["0.123", "−0.030", "0.000"]);
  });
});

describe("reasons of a score", () => {
  const many = (count: number) => Array.from({ length: count }, (_, i) => part((i + 1) * (i % 2 ? -1 : 1)));

  it("keep the common start apart and lose nothing", () => {
    const base = { name: "base", value: -2, text: "the average pair" };
    const { base: start, main, minor } = reasonsOf([base, ...many(16)]);
    expect(start).toBe(base);
    expect(main.map(({ value }) => value)).toEqual([-16, 15, -14, 13, -12, 11]);
    expect(minor).toHaveLength(10);
    expect(sumOf([base, ...main, ...minor])).toBe(-10);
  });

  it("hide no single part behind a sum", () => {
    expect(reasonsOf(many(7)).minor).toEqual([]);
    expect(reasonsOf(many(8)).minor).toHaveLength(2);
  });

  it("may have no start, as the rules have none", () => {
    expect(reasonsOf(many(3)).base).toBeUndefined();
  });
});
