/**
 * Whose review is judged next. Whoever reaches the port may send reviews, and judging one takes the process's only thread: one at a
 * time, the smallest first, and after each the thread is everyone else's for as long as it took. So reviews take half of it at most, and a
 * large one, which no person writes, does not keep the usual ones waiting.
 */

import type { Clock } from "@meltemi/runtime";

export interface ReviewTurns {
  /** Resolves with what `judge` returns, or rejects with what it throws. How many wait is the caller's bound. */
  judge<T>(bytes: number, judge: () => T): Promise<T>;
}

interface Waiting {
  readonly bytes: number;
  readonly run: () => void;
}

export function createReviewTurns({ clock }: { readonly clock: Clock }): ReviewTurns {
  const waiting: Waiting[] = [];
  let isTaken = false;
  const next = (): void => {
    const smallest = waiting.reduce<Waiting | undefined>(
      (best, each) => (best === undefined || each.bytes < best.bytes ? each : best),
      undefined,
    );
    isTaken = smallest !== undefined;
    if (smallest === undefined) return;
    waiting.splice(waiting.indexOf(smallest), 1);
    const beganMs = clock.monotonicMs();
    smallest.run();
    clock.after(clock.monotonicMs() - beganMs, next);
  };
  return {
    judge: (bytes, judge) =>
      new Promise((resolve, reject) => {
        const run = (): void => {
          try {
            resolve(judge());
          } catch (error) {
            reject(error);
          }
        };
        waiting.push({ bytes, run });
        if (!isTaken) next();
      }),
  };
}
