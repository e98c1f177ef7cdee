/** How long to wait before the next try. */
export interface BackoffOptions {
  readonly baseMs: number;
  readonly maxMs: number;
  /** Spread as a fraction of the delay: 0.2 means ±20 %. Zero for none. */
  readonly jitter?: number;
}

/**
 * Delay before try number `attempt` (0 is the first retry): doubling from `baseMs` up to `maxMs`.
 * `random` gives a number in [0, 1); it is an argument so that a test can fix it.
 */
export function backoffMs(options: BackoffOptions, attempt: number, random: () => number): number {
  // 2 ** 52 is exact in a double; beyond it the cap has long since won.
  const plain = Math.min(options.maxMs, options.baseMs * 2 ** Math.min(Math.max(0, attempt), 52));
  const spread = (options.jitter ?? 0) * (2 * random() - 1);
  return Math.min(options.maxMs, plain * (1 + spread));
}
