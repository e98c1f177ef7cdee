/** What the demo asserts: one claim, true or false, with the figure that shows it. */

export interface Claim {
  readonly claim: string;
  readonly ok: boolean;
  /** What was seen, in words and numbers. */
  readonly seen: string;
  readonly figures?: Readonly<Record<string, number | string>>;
}

/** Median and 99th percentile of samples; zeros when there are none. */
export function summarise(samples: readonly number[]): { readonly median: number; readonly p99: number } {
  const sorted = [...samples].sort((a, b) => a - b);
  const at = (fraction: number): number =>
    sorted[Math.min(sorted.length - 1, Math.floor(fraction * sorted.length))] ?? 0;
  return { median: at(0.5), p99: at(0.99) };
}
