/** A clock that tests move by hand, shared by the tests of this room. */

import assert from "node:assert/strict";
import type { Clock } from "@meltemi/runtime";

export interface ManualClock extends Clock {
  /** Moves time on and runs what fell due, in order. */
  advance(ms: number): void;
  readonly timers: number;
}

export function createManualClock(startMs = 1_000_000): ManualClock {
  let now = startMs;
  const timers = new Set<{ dueMs: number; task: () => void }>();
  return {
    nowMs: () => now,
    monotonicMs: () => now,
    after(delayMs, task) {
      const timer = { dueMs: now + delayMs, task };
      timers.add(timer);
      return { cancel: () => timers.delete(timer) };
    },
    advance(ms) {
      const end = now + ms;
      for (;;) {
        const due = [...timers].filter((timer) => timer.dueMs <= end).sort((a, b) => a.dueMs - b.dueMs)[0];
        if (due === undefined) break;
        now = Math.max(now, due.dueMs);
        timers.delete(due);
        due.task();
      }
      now = end;
    },
    get timers() {
      return timers.size;
    },
  };
}

/** Lets everything that is ready run, until the condition holds. */
export async function until(condition: () => boolean, what: string): Promise<void> {
  for (let turn = 0; turn < 1000; turn++) {
    if (condition()) return;
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.fail(`never came: ${what}`);
}
