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

/** "+0.120", "−0.030" with a true minus sign. */
export function signedNumber(value: number): string {
  return `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(3)}`;
}
