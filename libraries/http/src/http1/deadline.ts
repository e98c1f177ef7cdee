/** One deadline that moves with every request, for the price of one timer per connection and not one per request. */

import type { Clock, Timer } from "@meltemi/runtime";

export class Deadline {
  readonly #clock: Clock;
  readonly #onPassed: () => void;
  #atMs = Number.POSITIVE_INFINITY;
  #timer: Timer | undefined;
  #firesAtMs = 0;

  constructor(clock: Clock, onPassed: () => void) {
    this.#clock = clock;
    this.#onPassed = onPassed;
  }

  /** Replaces the deadline. A timer that fires before it looks again. */
  set(afterMs: number): void {
    const nowMs = this.#clock.monotonicMs();
    this.#atMs = nowMs + afterMs;
    if (this.#timer !== undefined && this.#firesAtMs <= this.#atMs) return;
    this.#arm(nowMs);
  }

  /** None until the next `set`; leaves the timer, which the next one will use. */
  clear(): void {
    this.#atMs = Number.POSITIVE_INFINITY;
  }

  stop(): void {
    this.clear();
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #arm(nowMs: number): void {
    this.#timer?.cancel();
    this.#firesAtMs = this.#atMs;
    this.#timer = this.#clock.after(this.#atMs - nowMs, () => this.#onTimer());
  }

  #onTimer(): void {
    this.#timer = undefined;
    if (this.#atMs === Number.POSITIVE_INFINITY) return;
    const nowMs = this.#clock.monotonicMs();
    if (nowMs < this.#atMs) {
      this.#arm(nowMs);
      return;
    }
    this.clear();
    this.#onPassed();
  }
}
