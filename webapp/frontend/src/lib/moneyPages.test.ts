import { describe, expect, it } from "vitest";

import { isMoneyPage } from "./moneyPages";

describe("the pages about money", () => {
  it("are those and what lies below them", () => {
    expect(isMoneyPage("/payouts")).toBe(true);
    expect(isMoneyPage("/statements/of")).toBe(true);
    expect(isMoneyPage("/payments/7")).toBe(true);
    expect(isMoneyPage("/payouts-of-others")).toBe(false);
    expect(isMoneyPage("/contracts")).toBe(false);
  });
});
