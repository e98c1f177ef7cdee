/** A clock that a test moves. Timers run in the order of their times, those set by a timer included. */

import type { Clock, Timer } from "@meltemi/runtime";

export interface FakeClock extends Clock {
  /** Moves time on by `ms`, running every timer that becomes due on the way. */
  advance(ms: number): void;
  /** The same, and after each timer lets promises and immediates settle before time goes on. */
  settle(ms?: number): Promise<void>;
  /** Timers that are set and have not fired. */
  readonly pending: number;
  /** When the next timer fires, in milliseconds from now. */
  readonly nextInMs: number | undefined;
}

interface Pending {
  readonly atMs: number;
  readonly order: number;
  readonly task: () => void;
}

/** 1 January 2026: a date that certificates of tests are valid around. */
const DEFAULT_START_MS = Date.UTC(2026, 0, 1);
/** More in one step is a timer that sets itself again without delay. */
const MAX_TIMERS_PER_STEP = 100_000;

export function createFakeClock(startMs: number = DEFAULT_START_MS): FakeClock {
  let elapsedMs = 0;
  let order = 0;
  const timers = new Set<Pending>();
  const next = (untilMs: number): Pending | undefined => {
    let first: Pending | undefined;
    for (const timer of timers) {
      if (timer.atMs > untilMs) continue;
      if (
        first === undefined ||
        timer.atMs < first.atMs ||
        (timer.atMs === first.atMs && timer.order < first.order)
      )
        first = timer;
    }
    return first;
  };
  function* due(ms: number): Generator<Pending> {
    const untilMs = elapsedMs + ms;
    for (let count = 0; ; count++) {
      const timer = next(untilMs);
      if (timer === undefined) break;
      if (count >= MAX_TIMERS_PER_STEP)
        throw new RangeError(`more than ${MAX_TIMERS_PER_STEP} timers in ${ms} ms`);
      timers.delete(timer);
      elapsedMs = Math.max(elapsedMs, timer.atMs);
      yield timer;
    }
    elapsedMs = Math.max(elapsedMs, untilMs);
  }
  return {
    nowMs: () => startMs + elapsedMs,
    monotonicMs: () => elapsedMs,
    after(delayMs, task): Timer {
      const timer = { atMs: elapsedMs + Math.max(0, delayMs), order: order++, task };
      timers.add(timer);
      return { cancel: () => void timers.delete(timer) };
    },
    advance(ms) {
      for (const timer of due(ms)) timer.task();
    },
    async settle(ms = 0) {
      await settled();
      for (const timer of due(ms)) {
        timer.task();
        await settled();
      }
      await settled();
    },
    get pending() {
      return timers.size;
    },
    get nextInMs() {
      const first = next(Number.POSITIVE_INFINITY);
      return first === undefined ? undefined : first.atMs - elapsedMs;
    },
  };
}

/** Promise chains of any length are done after an immediate; a second one lets what they started settle too. */
async function settled(): Promise<void> {
  for (let round = 0; round < 2; round++) await new Promise((resolve) => setImmediate(resolve));
}
