import { describe, expect, it } from "vitest";

import { AmountError, exponent, formatMoney, formatRange, parseMoney, toDecimal } from "./money";

describe("money", () => {
  it("knows currencies with no, two and three decimal places", () => {
    expect([exponent("JPY"), exponent("USD"), exponent("KWD")]).toEqual([0, 2, 3]);
  });

  it("refuses text that is no currency code", () => {
    expect(() => exponent("dollars")).toThrow(RangeError);
  });

  it.each([
    [0, "USD", "0.00"],
    [5, "USD", "0.05"],
    [-1250, "USD", "-12.50"],
    [1250, "JPY", "1250"],
    [1, "KWD", "0.001"],
    [9007199254740993n, "USD", "90071992547409.93"],
  ])("writes %s minor units of %s exactly", (minor, currency, text) => {
    expect(toDecimal(minor, currency)).toBe(text);
  });

  it("formats beyond the exact range of floating point without losing a cent", () => {
    expect(formatMoney(9007199254740993n, "USD")).toBe("$90,071,992,547,409.93 USD");
  });

  it("names the currency where its sign is shared, and only there", () => {
    expect(formatMoney(1250, "USD")).toBe("$12.50 USD");
    expect(formatMoney(-1250, "EUR")).toBe("−€12.50");
    expect(formatMoney(1250, "JPY")).toBe("¥1,250 JPY");
    expect(formatMoney(1250, "KWD")).toBe("KWD\u00a01.250");
  });

  it("writes ranges short and says when the price is open", () => {
    expect(formatRange(50_000, 150_000, "USD")).toBe("$500 – $1,500 USD");
    expect(formatRange(50_050, 50_050, "USD")).toBe("$500.50 USD");
    expect(formatRange(null, 150_000, "EUR")).toBe("up to €1,500");
    expect(formatRange(50_000, null, "EUR")).toBe("from €500");
    expect(formatRange(null, null, "EUR")).toBeNull();
  });

  it.each([
    ["1,250.50", "USD", 125_050],
    [" 1250 ", "USD", 125_000],
    ["1250.5", "USD", 125_050],
    ["1250.500", "USD", 125_050],
    ["0.1", "USD", 10],
    ["1,250", "JPY", 1250],
    ["1.234", "KWD", 1234],
    ["10000000000", "USD", 1_000_000_000_000],
  ])("reads %s %s as %i minor units", (text, currency, minor) => {
    expect(parseMoney(text, currency)).toBe(minor);
  });

  it.each([
    ["", "USD"],
    ["twelve", "USD"],
    ["12.345", "USD"],
    ["12.5", "JPY"],
    ["-5", "USD"],
    ["0", "USD"],
    ["0.00", "USD"],
    ["1e5", "USD"],
    ["1.2.3", "USD"],
    ["1,25", "USD"],
    ["10000000000.01", "USD"],
  ])("refuses %s %s", (text, currency) => {
    expect(() => parseMoney(text, currency)).toThrow(AmountError);
  });
});
