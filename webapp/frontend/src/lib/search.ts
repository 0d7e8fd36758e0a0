/** The state of the job search, in the address of the page: a link or a reload shows the same search. */
import type { LocationQuery } from "vue-router";

export interface Filters {
  query: string;
  category: string;
  skills: string[];
  skills_mode: "all" | "any";
  pricing: string;
  level: string;
  currency: string;
  budget_min: string;
  budget_max: string;
  posted_within_days: string;
  sort: "relevance" | "newest" | "budget";
}

export const NO_FILTERS: Filters = {
  query: "",
  category: "",
  skills: [],
  skills_mode: "any",
  pricing: "",
  level: "",
  currency: "USD",
  budget_min: "",
  budget_max: "",
  posted_within_days: "",
  sort: "relevance",
};

export const SORTS = [
  { value: "relevance", text: "Best match" },
  { value: "newest", text: "Newest" },
  { value: "budget", text: "Highest budget" },
] as const;

const text = (value: LocationQuery[string] | undefined) => (typeof value === "string" ? value : "");

/** Filters from the address; what is missing or not understood is the default. */
export function filtersOf(query: LocationQuery): Filters {
  const sort = text(query.sort);
  return {
    ...NO_FILTERS,
    query: text(query.query),
    category: text(query.category),
    skills: text(query.skills).split(",").filter(Boolean),
    skills_mode: text(query.skills_mode) === "all" ? "all" : "any",
    pricing: text(query.pricing),
    level: text(query.level),
    currency: text(query.currency) || NO_FILTERS.currency,
    budget_min: text(query.budget_min),
    budget_max: text(query.budget_max),
    posted_within_days: text(query.posted_within_days),
    sort: SORTS.find((s) => s.value === sort)?.value ?? NO_FILTERS.sort,
  };
}

/** The address's query of these filters: only what differs from the default. */
export function queryOf(filters: Filters): Record<string, string> {
  const found: Record<string, string> = {};
  for (const name of Object.keys(NO_FILTERS) as (keyof Filters)[]) {
    const value = filters[name];
    const written = Array.isArray(value) ? value.join(",") : value;
    if (written && written !== String(NO_FILTERS[name])) found[name] = written;
  }
  if (!found.skills) delete found.skills_mode;
  if (!found.budget_min && !found.budget_max) delete found.currency;
  return found;
}

/** How many filters are set beside the words and the order. */
export function activeCount(filters: Filters): number {
  const set = queryOf(filters);
  return (
    ["category", "skills", "pricing", "level", "posted_within_days"].filter((n) => set[n]).length +
    (set.budget_min || set.budget_max ? 1 : 0)
  );
}

/** The `cursor` in a page address that the server gave, or undefined at the end. */
export function cursorOf(next: string | null | undefined): string | undefined {
  if (!next) return undefined;
  return new URLSearchParams(next.slice(next.indexOf("?") + 1)).get("cursor") ?? undefined;
}
