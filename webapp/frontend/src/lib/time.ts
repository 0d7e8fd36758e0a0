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

/** How far a zone's wall clock is ahead of UTC at an instant, in milliseconds. */
function offsetAt(instant: number, zone: string): number {
  const parts = new Intl.DateTimeFormat("en-GB", {
    timeZone: zone,
    hourCycle: "h23",
    year: "numeric",
    month: "numeric",
    day: "numeric",
    hour: "numeric",
    minute: "numeric",
    second: "numeric",
  }).formatToParts(new Date(instant));
  const part = (type: Intl.DateTimeFormatPartTypes) => Number(parts.find((p) => p.type === type)?.value);
  const wall = Date.UTC(part("year"), part("month") - 1, part("day"), part("hour"), part("minute"), part("second"));
  return wall - Math.floor(instant / 1000) * 1000;
}

/**
 * The instant at which a clock on the wall in `zone` shows `local` ("2026-11-24T14:30", or a day: its beginning), as ISO text in UTC.
 * An hour that comes twice is the first one, one that is left out is read as if the clocks had not moved yet; undefined for what is
 * no date.
 */
export function instantOf(local: string, zone: string): string | undefined {
  const wall = Date.parse(`${local.length <= 10 ? `${local}T00:00` : local}Z`);
  if (Number.isNaN(wall)) return undefined;
  const guesses = [wall - 86_400_000, wall + 86_400_000].map((near) => wall - offsetAt(near, zone));
  const shown = guesses.filter((at) => at + offsetAt(at, zone) === wall);
  const at = shown.length ? Math.min(...shown) : Math.max(...guesses);
  return new Date(at).toISOString();
}

/** The instant at which the day ("2026-11-24") is over in `zone`: the beginning of the next one. */
export function endOfDay(day: string, zone: string): string | undefined {
  const at = Date.parse(`${day}T00:00Z`);
  return Number.isNaN(at) ? undefined : instantOf(new Date(at + 86_400_000).toISOString().slice(0, 10), zone);
}
