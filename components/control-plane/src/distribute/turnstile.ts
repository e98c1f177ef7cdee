/**
 * How many clients are sent the whole mesh at the same time. After a restart all of them come back at once, and each first
 * response is a copy of everything: taken in turns, memory stays that of a few, and the last client waits no longer than before.
 */

import type { Clock } from "@meltemi/runtime";

export interface TurnstileOptions {
  readonly places: number;
  /** A place is given back after this long, so that a few clients that do not read cannot shut the others out. */
  readonly holdMs: number;
}

/** Sixteen times the mesh of 10 000 workloads is some 70 MiB with gRPC's own copies. */
export const FIRST_RESPONSES: TurnstileOptions = { places: 16, holdMs: 2_000 };

export interface Turnstile {
  /** Calls `onTurn`, at once or when there is a place. Returns how to give back the place, or the wait for it. */
  enter(onTurn: () => void): () => void;
  readonly waiting: number;
}

export function createTurnstile(options: TurnstileOptions, clock: Pick<Clock, "after">): Turnstile {
  const queue = new Set<() => void>();
  let taken = 0;

  const admitNext = (): void => {
    for (const admit of queue) {
      if (taken >= options.places) return;
      queue.delete(admit);
      admit();
    }
  };

  return {
    enter(onTurn) {
      let leave = (): void => {
        queue.delete(admit);
      };
      const admit = (): void => {
        taken++;
        let held = true;
        const release = (): void => {
          if (!held) return;
          held = false;
          taken--;
          timer.cancel();
          admitNext();
        };
        const timer = clock.after(options.holdMs, release);
        leave = release;
        onTurn();
      };
      queue.add(admit);
      admitNext();
      return () => leave();
    },
    get waiting() {
      return queue.size;
    },
  };
}
