/** What the demo asserts: one claim, true or false, with the figure that shows it. */

/** A line that a shell ran, to the letter. */
export interface TypedCommand {
  readonly line: string;
  readonly exitCode: number;
}

export interface Claim {
  readonly claim: string;
  readonly ok: boolean;
  /** What was seen, in words and numbers. */
  readonly seen: string;
  /** Shown to people instead of a long `seen`, one a line. */
  readonly fields?: Readonly<Record<string, string>>;
  readonly figures?: Readonly<Record<string, number | string>>;
  /** What was typed since the claim before. */
  readonly commands?: readonly TypedCommand[];
}

/** Half of the samples are below it; 0 when there are none. */
export function medianOf(samples: readonly number[]): number {
  const sorted = [...samples].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}
