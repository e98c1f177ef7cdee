/** The clocks of one request. Most requests have none, and then nothing is made. */

import type { Clock, Timer } from "@meltemi/runtime";

/** `route`: the whole request; `try`: one attempt, or the pause before the next; `continue`: the wait for `100 Continue`. */
type Limit = "route" | "try" | "continue";

export class TimeLimits {
  readonly #clock: Clock;
  #timers: Partial<Record<Limit, Timer>> | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Replaces the one of this kind that runs. */
  start(limit: Limit, afterMs: number, task: () => void): void {
    this.#timers ??= {};
    this.#timers[limit]?.cancel();
    this.#timers[limit] = this.#clock.after(afterMs, task);
  }

  stop(limit: Limit): void {
    this.#timers?.[limit]?.cancel();
  }

  stopAll(): void {
    if (this.#timers === undefined) return;
    for (const timer of Object.values(this.#timers)) timer.cancel();
    this.#timers = undefined;
  }
}
