/**
 * When changes go out. The first change after a quiet time leaves almost at once; what follows closely is gathered until it is
 * quiet again, or has waited too long. Pure: times are arguments.
 */

export interface DebounceOptions {
  /** A change waits this long for companions after a quiet time: one `kubectl apply` of several objects becomes one push. */
  readonly leadingMs: number;
  /** Istio's `PILOT_DEBOUNCE_AFTER`. */
  readonly quietMs: number;
  /** Istio's `PILOT_DEBOUNCE_MAX`. */
  readonly maxMs: number;
}

/**
 * Istio gathers for 10 s. A hundred pods that join the mesh one after the other are then known to nobody until the last has joined,
 * and peers of those that leave call where nobody listens. One push costs milliseconds, and five a second are fewer than changes
 * that come slowly cause already.
 */
export const DEFAULT_DEBOUNCE: DebounceOptions = { leadingMs: 10, quietMs: 100, maxMs: 200 };

/** What waits to be pushed. */
export interface Gathering {
  readonly firstChangeMs: number;
  readonly lastChangeMs: number;
}

export function gather(gathering: Gathering | undefined, nowMs: number): Gathering {
  return { firstChangeMs: gathering?.firstChangeMs ?? nowMs, lastChangeMs: nowMs };
}

/** When to push what was gathered. `lastPushMs`: minus infinity when there was none. */
export function pushDueMs(gathering: Gathering, lastPushMs: number, options: DebounceOptions): number {
  const { firstChangeMs, lastChangeMs } = gathering;
  if (firstChangeMs - lastPushMs >= options.quietMs) return firstChangeMs + options.leadingMs;
  return Math.min(lastChangeMs + options.quietMs, firstChangeMs + options.maxMs);
}
