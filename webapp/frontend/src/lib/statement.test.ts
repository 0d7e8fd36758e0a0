import { describe, expect, it } from "vitest";

import {
  accountText,
  byCurrency,
  NO_STATEMENT_FILTERS,
  statementFile,
  statementFiltersOf,
  statementParameters,
  statementQueryOf,
} from "./statement";

describe("a statement's filters in the address", () => {
  it("come back as they were", () => {
    const filters = { ...NO_STATEMENT_FILTERS, from: "2026-03-01", kind: "release", currency: "USD", contract: "31" };
    expect(statementQueryOf(filters)).toEqual({ from: "2026-03-01", kind: "release", currency: "USD", contract: "31" });
    expect(statementFiltersOf(statementQueryOf(filters))).toEqual(filters);
  });

  it("are left out where nobody understands them", () => {
    const odd = {
      from: "2026-02-31x",
      kind: "gift",
      currency: "dollars",
      contract: "-1",
      of: "1.5",
      account: ["held"],
    };
    expect(statementFiltersOf(odd)).toEqual(NO_STATEMENT_FILTERS);
  });
});

describe("a statement's filters for the server", () => {
  it("turn days of the reader's zone into instants", () => {
    const days = { ...NO_STATEMENT_FILTERS, from: "2026-03-29", to: "2026-03-29" };
    const { from, to } = statementParameters(days, "Europe/Berlin");
    expect([from, to]).toEqual(["2026-03-28T23:00:00.000Z", "2026-03-29T22:00:00.000Z"]);
  });

  it("go into the files as well", () => {
    const filters = { ...NO_STATEMENT_FILTERS, from: "2026-03-01", currency: "USD" };
    expect(statementFile(filters, "UTC", "csv")).toBe(
      "/api/v1/me/statement.csv?from=2026-03-01T00%3A00%3A00.000Z&currency=USD",
    );
    expect(statementFile(NO_STATEMENT_FILTERS, "UTC", "pdf")).toBe("/api/v1/me/statement.pdf");
  });

  it("name one account alone, of which there is only a CSV", () => {
    const filters = { ...NO_STATEMENT_FILTERS, of: "30", account: "hold", currency: "USD" };
    expect(statementFile(filters, "UTC", "csv")).toBe(
      "/api/v1/ledger-accounts/30/statement.csv?currency=USD&account=hold",
    );
  });
});

describe("accounts", () => {
  const account = (id: number, kind: string, minor: number, currency: string, milestone_id: number | null = null) => ({
    id,
    kind,
    milestone_id,
    balance: { minor, currency },
  });

  it("stand by currency, in one order, with their sum; empty holds are left out", () => {
    const found = byCurrency([
      account(1, "wallet", 500, "USD"),
      account(2, "hold", 0, "USD", 51),
      account(3, "hold", 700, "USD", 52),
      account(4, "available", -100, "USD"),
      account(5, "wallet", 0, "EUR"),
    ]);
    expect(found.map((group) => [group.currency, group.total, group.accounts.map((a) => a.id)])).toEqual([
      ["EUR", 0, [5]],
      ["USD", 1100, [4, 1, 3]],
    ]);
  });

  it("name the milestone of a hold", () => {
    expect(accountText({ kind: "hold", milestone_id: 51 })).toBe("Funds held, milestone 51");
    expect(accountText({ kind: "payout_transit", milestone_id: null })).toBe("Being paid out");
  });
});
