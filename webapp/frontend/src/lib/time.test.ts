import { describe, expect, it } from "vitest";

import { days, distance, formatInstant, formatUtc } from "./time";

const NOW = Date.parse("2026-11-24T12:00:00Z");

describe("instants", () => {
  it("shows the reader's zone, also across midnight and summer time", () => {
    expect(formatInstant("2026-11-24T22:30:00Z", "Africa/Nairobi")).toBe("25 Nov 2026, 01:30");
    expect(formatInstant("2026-07-01T12:00:00Z", "Europe/Berlin")).toBe("1 Jul 2026, 14:00");
    expect(formatInstant("2026-11-24T22:30:00Z", "Africa/Nairobi", true)).toBe("25 Nov 2026");
  });

  it("keeps UTC for the title", () => {
    expect(formatUtc("2026-11-24T22:30:59+03:00")).toBe("2026-11-24 19:30 UTC");
  });
});

describe("distances", () => {
  it.each([
    ["2026-12-08T12:00:00Z", "in 14 days"],
    ["2026-12-08T11:59:59Z", "in 13 days"],
    ["2026-11-24T17:30:00Z", "in 5 hours"],
    ["2026-11-24T12:00:59Z", "now"],
    ["2026-11-24T11:00:00Z", "1 hour ago"],
    ["2026-11-23T12:00:00Z", "1 day ago"],
    ["2025-10-01T12:00:00Z", "1 year ago"],
  ])("%s is %s", (iso, text) => {
    expect(distance(iso, NOW)).toBe(text);
  });

  it("counts one day and many", () => {
    expect([days(1), days(5)]).toEqual(["1 day", "5 days"]);
  });
});
