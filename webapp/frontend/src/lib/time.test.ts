import { describe, expect, it } from "vitest";

import { days, distance, endOfDay, formatInstant, formatUtc, instantOf } from "./time";

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

describe("the time on somebody's wall", () => {
  it("is an instant in their zone", () => {
    expect(instantOf("2026-11-24T14:30", "UTC")).toBe("2026-11-24T14:30:00.000Z");
    expect(instantOf("2026-11-24T14:30", "Asia/Kolkata")).toBe("2026-11-24T09:00:00.000Z");
    expect(instantOf("2026-11-24", "America/New_York")).toBe("2026-11-24T05:00:00.000Z");
    expect(instantOf("2026-01-01", "Pacific/Kiritimati")).toBe("2025-12-31T10:00:00.000Z");
  });

  it("of an hour that comes twice is the first", () => {
    expect(instantOf("2026-10-25T02:30", "Europe/Berlin")).toBe("2026-10-25T00:30:00.000Z");
  });

  it("of an hour that is left out is read as if the clocks had not moved yet", () => {
    expect(instantOf("2026-03-29T02:30", "Europe/Berlin")).toBe("2026-03-29T01:30:00.000Z");
  });

  it("ends a day that is longer or shorter than others where the next begins", () => {
    expect(endOfDay("2026-10-25", "Europe/Berlin")).toBe("2026-10-25T23:00:00.000Z");
    expect(endOfDay("2026-03-29", "Europe/Berlin")).toBe("2026-03-29T22:00:00.000Z");
  });

  it("is nothing for what is no date", () => {
    expect(instantOf("2026-13-40", "UTC")).toBeUndefined();
    expect(endOfDay("soon", "UTC")).toBeUndefined();
  });
});
