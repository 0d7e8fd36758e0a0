/** The state of the statement page, in its address: a link or a reload shows the same lines. */
import type { LocationQuery } from "vue-router";

import type { LedgerAccount } from "@/api/types";
import { ledgerWord } from "./words";
import { endOfDay, instantOf } from "./time";

export interface StatementFilters {
  /** Days, "2026-11-24", in the reader's zone; both included. */
  from: string;
  to: string;
  kind: string;
  currency: string;
  account: string;
  contract: string;
  /** One account alone, by its number. */
  of: string;
}

export const NO_STATEMENT_FILTERS: StatementFilters = {
  from: "",
  to: "",
  kind: "",
  currency: "",
  account: "",
  contract: "",
  of: "",
};

export const ACCOUNT_KINDS = ["available", "pending", "wallet", "hold", "payout_transit", "receivable"] as const;

/** Entries that change a user's own accounts. */
export const ENTRY_KINDS = [
  "release",
  "bonus",
  "clear",
  "clear_part",
  "clear_bonus",
  "settle",
  "payout_request",
  "payout_settle",
  "payout_fail",
  "payout_return",
  "deposit",
  "exchange",
  "hold",
  "refund",
  "roll",
  "fee_refund",
  "client_fee",
  "client_fee_refund",
  "card_refund_request",
  "card_refund_settle",
  "card_refund_fail",
  "card_refund_return",
  "dispute_open",
  "dispute_won",
  "dispute_less",
  "chargeback",
  "debt_recover",
  "difference_credit",
] as const;

const NAMES = Object.keys(NO_STATEMENT_FILTERS) as (keyof StatementFilters)[];

const SHAPES: Record<keyof StatementFilters, (text: string) => boolean> = {
  from: isDay,
  to: isDay,
  kind: (text) => ENTRY_KINDS.some((kind) => kind === text),
  currency: (text) => /^[A-Z]{3}$/.test(text),
  account: (text) => ACCOUNT_KINDS.some((kind) => kind === text),
  contract: isNumber,
  of: isNumber,
};

function isDay(text: string): boolean {
  return /^\d{4}-\d{2}-\d{2}$/.test(text) && !Number.isNaN(Date.parse(text));
}

function isNumber(text: string): boolean {
  return /^[1-9]\d{0,14}$/.test(text);
}

/** Filters from the address; what is missing or not understood is no filter. */
export function statementFiltersOf(query: LocationQuery): StatementFilters {
  const found = { ...NO_STATEMENT_FILTERS };
  for (const name of NAMES) {
    const given = query[name];
    if (typeof given === "string" && SHAPES[name](given)) found[name] = given;
  }
  return found;
}

/** The address's query of these filters. */
export function statementQueryOf(filters: StatementFilters): Record<string, string> {
  return Object.fromEntries(NAMES.filter((name) => filters[name]).map((name) => [name, filters[name]]));
}

export interface StatementParameters {
  from?: string;
  to?: string;
  kind?: (typeof ENTRY_KINDS)[number];
  currency?: string;
  account?: (typeof ACCOUNT_KINDS)[number];
  contract?: number;
}

/** The filters as the API takes them: days of the reader's zone become instants. */
export function statementParameters(filters: StatementFilters, zone: string): StatementParameters {
  return {
    from: filters.from ? instantOf(filters.from, zone) : undefined,
    to: filters.to ? endOfDay(filters.to, zone) : undefined,
    kind: ENTRY_KINDS.find((kind) => kind === filters.kind),
    currency: filters.currency || undefined,
    account: ACCOUNT_KINDS.find((kind) => kind === filters.account),
    contract: filters.contract ? Number(filters.contract) : undefined,
  };
}

/** Path and query of the statement as a file. One account alone has no PDF. */
export function statementFile(filters: StatementFilters, zone: string, form: "csv" | "pdf"): string {
  const base =
    filters.of && form === "csv" ? `/api/v1/ledger-accounts/${filters.of}/statement` : "/api/v1/me/statement";
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(statementParameters(filters, zone))) {
    if (value !== undefined) query.set(name, String(value));
  }
  const text = query.toString();
  return `${base}.${form}${text ? `?${text}` : ""}`;
}

export interface CurrencyAccounts {
  currency: string;
  total: number;
  accounts: LedgerAccount[];
}

/** Accounts by currency, in the order in which people read them, with their sum. Holds that are empty are left out. */
export function byCurrency(accounts: LedgerAccount[]): CurrencyAccounts[] {
  const order = (a: LedgerAccount) => ACCOUNT_KINDS.findIndex((kind) => kind === a.kind);
  const currencies = [...new Set(accounts.map((a) => a.balance.currency))].sort();
  return currencies.map((currency) => {
    const of = accounts.filter((a) => a.balance.currency === currency);
    return {
      currency,
      total: of.reduce((sum, a) => sum + a.balance.minor, 0),
      accounts: of
        .filter((a) => a.kind !== "hold" || a.balance.minor !== 0)
        .sort((a, b) => order(a) - order(b) || a.id - b.id),
    };
  });
}

/** "Funds held, milestone 51" */
export function accountText(account: { kind: string; milestone_id: number | null }): string {
  return ledgerWord(account.kind) + (account.milestone_id ? `, milestone ${account.milestone_id}` : "");
}
