/** The clocks of one request. Most requests have none, and then nothing is made. */

import type { Clock, Timer } from "@meltemi/runtime";

/** `route`: the whole request, or a half-open upgraded stream; `try`: one attempt, or the pause before the next; `continue`: the wait for `100 Continue`. */
type Limit = "route" | "try" | "continue";

/** Servers that never say `100 Continue` wait for the body; curl waits as long for them. */
export const CONTINUE_WAIT_MS = 1000;

export class TimeLimits {
  readonly #clock: Clock;
  readonly #owner: { onBroken(error: unknown): void };
  #timers: Partial<Record<Limit, Timer>> | undefined;

  /** The owner hears of a task that threw, which must not end the process. */
  constructor(clock: Clock, owner: { onBroken(error: unknown): void }) {
    this.#clock = clock;
    this.#owner = owner;
  }

  /** Replaces the one of this kind that runs. */
  start(limit: Limit, afterMs: number, task: () => void): void {
    this.#timers ??= {};
    this.#timers[limit]?.cancel();
    this.#timers[limit] = this.#clock.after(afterMs, () => {
      try {
        task();
      } catch (error) {
        this.#owner.onBroken(error);
      }
    });
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

/** One side of an upgraded stream has ended and nothing moves on the other: Envoy's idle timeout of connections. */
const HALF_OPEN_TIMEOUT_MS = 3_600_000;

/** Looks after a stream of which one direction is left; exact to twice its time, for the price of a flag per chunk. */
export class HalfOpenWatch {
  readonly #limits: TimeLimits;
  readonly #onSilent: () => void;
  #isSilent = false;

  constructor(limits: TimeLimits, onSilent: () => void) {
    this.#limits = limits;
    this.#onSilent = onSilent;
  }

  start(): void {
    this.#isSilent = true;
    this.#limits.start("route", HALF_OPEN_TIMEOUT_MS, () => {
      if (this.#isSilent) this.#onSilent();
      else this.start();
    });
  }

  moved(): void {
    this.#isSilent = false;
  }
}
