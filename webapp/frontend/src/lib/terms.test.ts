import { describe, expect, it } from "vitest";

import { readDays, readMilestones, sumGap, sumText, type Errors, type MilestoneRow } from "./terms";

const row = (changes: Partial<MilestoneRow>): MilestoneRow => ({
  title: "Part",
  amount: "",
  days: "",
  acceptance: "",
  ...changes,
});

describe("milestones of a bid", () => {
  it("become the API's form, acceptance points line by line", () => {
    const errors: Errors = {};
    const rows = [row({ amount: "400", days: "7", acceptance: "Tests pass\n\n  Docs " }), row({ amount: "600.50" })];

    const terms = readMilestones(rows, "USD", 100_050, errors);

    expect(errors).toEqual({});
    expect(terms).toEqual([
      { title: "Part", amount_minor: 40_000, due_in_days: 7, acceptance: ["Tests pass", "Docs"] },
      { title: "Part", amount_minor: 60_050, due_in_days: null, acceptance: [] },
    ]);
  });

  it("name each wrong field by its path", () => {
    const errors: Errors = {};

    readMilestones([row({ title: " ", amount: "x", days: "0" })], "USD", 100, errors);

    expect(Object.keys(errors).sort()).toEqual([
      "milestones.0.amount_minor",
      "milestones.0.due_in_days",
      "milestones.0.title",
    ]);
  });

  it("must add up to the price to the cent", () => {
    const errors: Errors = {};

    readMilestones([row({ amount: "9.99" })], "USD", 1000, errors);

    expect(errors).toEqual({ milestones: "$0.01 USD of your price is in no milestone yet." });
  });

  it("say what is missing or too much, and nothing while an amount is unreadable", () => {
    expect(sumGap([row({ amount: "4" }), row({ amount: "7" })], "USD", 1000)).toBe(-100);
    expect(sumText(-100, "USD")).toBe("The milestones are $1.00 USD above your price.");
    expect(sumGap([row({ amount: "10" })], "USD", 1000)).toBe(0);
    expect(sumGap([row({ amount: "" })], "USD", 1000)).toBeUndefined();
    expect(sumGap([], "USD", 1000)).toBeUndefined();
  });

  it.each(["0", "-1", "3651", "1.5", "soon"])("refuse %s as a number of days", (text) => {
    const errors: Errors = {};
    expect(readDays(text, "days", errors)).toBeNull();
    expect(errors.days).toContain("1 to 3650");
  });
});
