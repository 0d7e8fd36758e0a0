/** Additive explanations as bars: all on one scale with one zero, so that lengths can be compared and add up. */
export interface Part {
  name: string;
  value: number;
  text: string;
}

export interface Bar extends Part {
  /** Per cent of the track. */
  start: number;
  width: number;
}

export interface Reasons {
  /** Where every score of this list starts, when the ranking has such a start; it says nothing about this job. */
  base: Part | undefined;
  main: Bar[];
  minor: Bar[];
}

/** Parts that a person reads at a glance; the smaller ones wait behind their sum. */
const MAIN = 6;

/** Bars of the parts, largest effect first; zero stands where negative parts need it to. */
export function barsOf(parts: Part[]): Bar[] {
  const low = Math.min(0, ...parts.map((part) => part.value));
  const high = Math.max(0, ...parts.map((part) => part.value));
  const span = high - low || 1;
  const percent = (value: number) => ((value - low) / span) * 100;
  return [...parts]
    .sort((a, b) => Math.abs(b.value) - Math.abs(a.value))
    .map((part) => ({
      ...part,
      start: percent(Math.min(0, part.value)),
      width: (Math.abs(part.value) / span) * 100,
    }));
}

/** The start apart from the reasons, and the reasons by size. Nothing is dropped: base + main + minor is the score. */
export function reasonsOf(parts: Part[]): Reasons {
  const base = parts.find((part) => part.name === "base");
  const bars = barsOf(parts.filter((part) => part !== base));
  const cut = bars.length > MAIN + 1 ? MAIN : bars.length;
  return { base, main: bars.slice(0, cut), minor: bars.slice(cut) };
}

export const sumOf = (parts: Part[]): number => parts.reduce((total, part) => total + part.value, 0);

/** "0.120", "−0.030" with a true minus sign; a value that rounds to zero has none. */
export function plainNumber(value: number): string {
  const text = Math.abs(value).toFixed(3);
  return value < 0 && Number(text) !== 0 ? `−${text}` : text;
}

/** The same with "+" before what is not negative. */
export function signedNumber(value: number): string {
  const text = plainNumber(value);
  return text.startsWith("−") ? text : `+${text}`;
}
