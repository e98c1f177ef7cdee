/** What the demo asserts: one claim, true or false, with the figure that shows it. */

export interface Claim {
  readonly claim: string;
  readonly ok: boolean;
  /** What was seen, in words and numbers. */
  readonly seen: string;
  /** Shown to people instead of a long `seen`, one a line. */
  readonly fields?: Readonly<Record<string, string>>;
  readonly figures?: Readonly<Record<string, number | string>>;
}

/** Half of the samples are below it; 0 when there are none. */
export function medianOf(samples: readonly number[]): number {
  const sorted = [...samples].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}
