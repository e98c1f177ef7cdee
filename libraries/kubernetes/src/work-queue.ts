/** Keys to be reconciled, each at most once at a time, failed ones again after a growing delay. */

import {
  type BackoffOptions,
  backoffMs,
  type Clock,
  describeError,
  type Logger,
  type Timer,
} from "@meltemi/runtime";

export interface WorkQueueOptions {
  readonly name: string;
  /** Keys worked on at the same time. Default 1. */
  readonly concurrency?: number;
  /** Default 5 ms doubling to 30 s, as long as it fails. */
  readonly backoff?: BackoffOptions;
  /** A key that failed so often in a row is left alone until it is added again. Default: never. */
  readonly maxAttempts?: number;
}

export interface WorkQueueDependencies {
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Logger;
  /** Brings the world in line with the key's object. A rejection schedules a retry. */
  readonly reconcile: (key: string, signal: AbortSignal) => Promise<void>;
}

export interface WorkQueue {
  /** Work on the key soon. While it is being worked on, once more afterwards; repeats collapse. */
  add(key: string): void;
  /** Work on the key after `delayMs`, unless it is added sooner, which does not cancel this. */
  addAfter(key: string, delayMs: number): void;
  /** Keys waiting, in work, or due for a retry. */
  readonly size: number;
  /** No new work starts; what runs is aborted. Resolves when it has ended. */
  stop(): Promise<void>;
}

const DEFAULT_BACKOFF: BackoffOptions = { baseMs: 5, maxMs: 30_000, jitter: 0.2 };
/** First failures are often conflicts that the next try solves: only what fails on is worth a warning. */
const QUIET_FAILURES = 3;

export function createWorkQueue(options: WorkQueueOptions, deps: WorkQueueDependencies): WorkQueue {
  return new Queue(options, deps);
}

class Queue implements WorkQueue {
  readonly #options: WorkQueueOptions;
  readonly #deps: WorkQueueDependencies;
  /** In the order of arrival; a key stands once. */
  readonly #waiting = new Set<string>();
  readonly #working = new Map<string, Promise<void>>();
  readonly #failures = new Map<string, number>();
  readonly #timers = new Map<string, { readonly timer: Timer; readonly dueMs: number }>();
  readonly #stopped = new AbortController();

  constructor(options: WorkQueueOptions, deps: WorkQueueDependencies) {
    this.#options = options;
    this.#deps = deps;
  }

  get size(): number {
    return new Set([...this.#waiting, ...this.#working.keys(), ...this.#timers.keys()]).size;
  }

  add(key: string): void {
    if (this.#stopped.signal.aborted) return;
    this.#waiting.add(key);
    this.#startNext();
  }

  addAfter(key: string, delayMs: number): void {
    if (this.#stopped.signal.aborted) return;
    const { clock } = this.#deps;
    const dueMs = clock.monotonicMs() + delayMs;
    const known = this.#timers.get(key);
    if (known !== undefined && known.dueMs <= dueMs) return;
    known?.timer.cancel();
    const timer = clock.after(delayMs, () => {
      this.#timers.delete(key);
      this.add(key);
    });
    this.#timers.set(key, { timer, dueMs });
  }

  async stop(): Promise<void> {
    this.#stopped.abort();
    this.#waiting.clear();
    for (const { timer } of this.#timers.values()) timer.cancel();
    this.#timers.clear();
    await Promise.all(this.#working.values());
  }

  #startNext(): void {
    for (const key of this.#waiting) {
      if (this.#working.size >= (this.#options.concurrency ?? 1)) return;
      if (this.#working.has(key)) continue;
      this.#waiting.delete(key);
      this.#working.set(key, this.#work(key));
    }
  }

  async #work(key: string): Promise<void> {
    // Let the caller's turn end first: a burst of changes to one object is one reconciliation.
    await Promise.resolve();
    try {
      await this.#deps.reconcile(key, this.#stopped.signal);
      this.#failures.delete(key);
    } catch (error) {
      if (!this.#stopped.signal.aborted) this.#retryLater(key, error);
    } finally {
      this.#working.delete(key);
      if (!this.#stopped.signal.aborted) this.#startNext();
    }
  }

  #retryLater(key: string, error: unknown): void {
    const failures = this.#failures.get(key) ?? 0;
    const { name, maxAttempts = Number.POSITIVE_INFINITY } = this.#options;
    if (failures + 1 >= maxAttempts) {
      this.#failures.delete(key);
      const attempts = failures + 1;
      this.#deps.log.error("gave up", { queue: name, key, attempts, error: describeError(error) });
      return;
    }
    this.#failures.set(key, failures + 1);
    const delayMs = backoffMs(this.#options.backoff ?? DEFAULT_BACKOFF, failures, this.#deps.random);
    const fields = {
      queue: name,
      key,
      error: describeError(error),
      retryMs: Math.round(delayMs),
    };
    if (failures < QUIET_FAILURES) this.#deps.log.debug("reconcile failed", fields);
    else this.#deps.log.warn("reconcile failed", fields);
    this.addAfter(key, delayMs);
  }
}
