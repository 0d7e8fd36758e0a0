/** Instants on pages: shown in the reader's zone, with UTC in the title; distances measured on the server's business clock. */
const LOCALE = "en";

export function zoneOfBrowser(): string {
  return Intl.DateTimeFormat().resolvedOptions().timeZone;
}

/** "24 Nov 2026, 14:30" in `zone`; `dateOnly` leaves the time out. */
export function formatInstant(iso: string, zone: string, dateOnly = false): string {
  return new Intl.DateTimeFormat("en-GB", {
    dateStyle: "medium",
    ...(dateOnly ? {} : { timeStyle: "short" as const }),
    timeZone: zone,
  }).format(new Date(iso));
}

/** "2026-11-24 12:30 UTC" */
export function formatUtc(iso: string): string {
  return `${new Date(iso).toISOString().slice(0, 16).replace("T", " ")} UTC`;
}

const STEPS: [Intl.RelativeTimeFormatUnit, number][] = [
  ["year", 365 * 86_400],
  ["month", 30 * 86_400],
  ["day", 86_400],
  ["hour", 3_600],
  ["minute", 60],
];

/** "in 13 days", "3 hours ago", "now". Rounds towards the nearer instant, so that a promise is never overstated. */
export function distance(iso: string, now: number): string {
  const seconds = (new Date(iso).getTime() - now) / 1000;
  for (const [unit, size] of STEPS) {
    if (Math.abs(seconds) >= size) {
      return new Intl.RelativeTimeFormat(LOCALE, { numeric: "always" }).format(Math.trunc(seconds / size), unit);
    }
  }
  return "now";
}

/** "5 days", "1 day" */
export function days(count: number): string {
  return `${count} ${count === 1 ? "day" : "days"}`;
}
