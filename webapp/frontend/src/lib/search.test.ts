import { describe, expect, it } from "vitest";

import { activeCount, cursorOf, filtersOf, NO_FILTERS, queryOf } from "./search";

describe("the search in the address", () => {
  it("comes back as it went", () => {
    const filters = {
      ...NO_FILTERS,
      query: "c# api",
      skills: ["c-sharp", "sql"],
      skills_mode: "all" as const,
      budget_min: "500",
      currency: "EUR",
    };
    expect(filtersOf(queryOf(filters))).toEqual(filters);
  });

  it("holds nothing that is the default", () => {
    expect(queryOf(NO_FILTERS)).toEqual({});
    expect(queryOf({ ...NO_FILTERS, currency: "EUR", skills_mode: "all" })).toEqual({});
  });

  it("reads hostile addresses as the default", () => {
    expect(filtersOf({ sort: "DROP TABLE", skills_mode: ["all", "any"], query: null })).toEqual(NO_FILTERS);
  });

  it("counts filters, the two ends of a budget as one", () => {
    expect(activeCount({ ...NO_FILTERS, query: "x", sort: "newest" })).toBe(0);
    expect(activeCount({ ...NO_FILTERS, category: "design", budget_min: "1", budget_max: "2" })).toBe(2);
  });

  it("takes the cursor out of the next page's address", () => {
    expect(cursorOf("/api/v1/jobs?query=a&cursor=WzEsMl0&limit=5")).toBe("WzEsMl0");
    expect(cursorOf("/api/v1/jobs")).toBeUndefined();
    expect(cursorOf(null)).toBeUndefined();
  });
});
