/** Holds the current version of something immutable. Readers take it once; it is replaced in one assignment, and then who waits is told. */

import type { Clock } from "@meltemi/runtime";

export interface SnapshotStore<S> {
  readonly current: S;
  replace(next: S): void;
  /** Called after every replacement. Returns how to stop it. */
  onChange(listener: (next: S, previous: S) => void): () => void;
  /**
   * What `find` gives for the first snapshot, from the current one on, for which it gives something; undefined when
   * that takes longer than `timeoutMs` or the signal ends the wait.
   */
  waitFor<T>(
    find: (snapshot: S) => T | undefined,
    timeoutMs: number,
    signal?: AbortSignal,
  ): Promise<T | undefined>;
}

export function createSnapshotStore<S>(initial: S, deps: { readonly clock: Clock }): SnapshotStore<S> {
  let current = initial;
  const listeners = new Set<(next: S, previous: S) => void>();
  const onChange: SnapshotStore<S>["onChange"] = (listener) => {
    listeners.add(listener);
    return () => listeners.delete(listener);
  };
  return {
    get current() {
      return current;
    },
    replace(next) {
      const previous = current;
      current = next;
      for (const listener of [...listeners]) listener(next, previous);
    },
    onChange,
    waitFor(find, timeoutMs, signal) {
      const found = find(current);
      if (found !== undefined || signal?.aborted) return Promise.resolve(found);
      return new Promise((resolve) => {
        const finish = (value: ReturnType<typeof find>): void => {
          stop();
          timer.cancel();
          signal?.removeEventListener("abort", giveUp);
          resolve(value);
        };
        const giveUp = (): void => finish(undefined);
        const stop = onChange((next) => {
          const value = find(next);
          if (value !== undefined) finish(value);
        });
        const timer = deps.clock.after(timeoutMs, giveUp);
        signal?.addEventListener("abort", giveUp, { once: true });
      });
    },
  };
}
