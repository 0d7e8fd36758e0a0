/** The terms of a bid as typed, and their way into the API's form. Errors carry the server's field paths. */
import { AmountError, formatMoney, parseMoney } from "./money";

export interface MilestoneRow {
  title: string;
  amount: string;
  days: string;
  /** One acceptance point a line. */
  acceptance: string;
}

export interface MilestoneTerms {
  title: string;
  amount_minor: number;
  due_in_days: number | null;
  acceptance: string[];
}

export type Errors = Record<string, string>;

export function emptyRow(): MilestoneRow {
  return { title: "", amount: "", days: "", acceptance: "" };
}

/** Minor units, or undefined with the message in `errors[path]`. */
export function readAmount(text: string, currency: string, path: string, errors: Errors): number | undefined {
  try {
    return parseMoney(text, currency);
  } catch (error) {
    if (!(error instanceof AmountError)) throw error;
    errors[path] = error.message;
    return undefined;
  }
}

/** A whole number of days from 1 to 3650; empty text is null; anything else is an error. */
export function readDays(text: string, path: string, errors: Errors): number | null {
  const trimmed = text.trim();
  if (trimmed === "") return null;
  const count = Number(trimmed);
  if (/^\d{1,4}$/.test(trimmed) && count >= 1 && count <= 3650) return count;
  errors[path] = "Give a whole number of days, from 1 to 3650.";
  return null;
}

/** The milestones as the API takes them. With `total` the amounts must sum to exactly that. */
export function readMilestones(
  rows: MilestoneRow[],
  currency: string,
  total: number | undefined,
  errors: Errors,
): MilestoneTerms[] {
  const terms = rows.map((row, i) => {
    const at = `milestones.${i}`;
    if (!row.title.trim()) errors[`${at}.title`] = "Give the milestone a title.";
    return {
      title: row.title.trim(),
      amount_minor: readAmount(row.amount, currency, `${at}.amount_minor`, errors) ?? 0,
      due_in_days: readDays(row.days, `${at}.due_in_days`, errors),
      acceptance: row.acceptance
        .split("\n")
        .map((line) => line.trim())
        .filter(Boolean),
    };
  });
  const gap = sumGap(rows, currency, total);
  if (gap !== 0 && gap !== undefined && !terms.some((t) => t.amount_minor === 0)) {
    errors.milestones = sumText(gap, currency);
  }
  return terms;
}

/** What is missing to (positive) or beyond (negative) `total`; undefined while an amount is unreadable. */
export function sumGap(rows: MilestoneRow[], currency: string, total: number | undefined): number | undefined {
  if (total === undefined || rows.length === 0) return undefined;
  const ignored: Errors = {};
  const parts = rows.map((row) => readAmount(row.amount, currency, "", ignored));
  if (parts.includes(undefined)) return undefined;
  return total - parts.reduce<number>((sum, part) => sum + (part ?? 0), 0);
}

export function sumText(gap: number, currency: string): string {
  if (gap === 0) return "The milestones add up to your price.";
  return gap > 0
    ? `${formatMoney(gap, currency)} of your price is in no milestone yet.`
    : `The milestones are ${formatMoney(-gap, currency)} above your price.`;
}
