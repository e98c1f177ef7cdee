/** Holds the current snapshot. Readers take it once; an update replaces it in one assignment and then tells who waits. */

import {
  type AddressChange,
  applyAddressUpdates,
  applyPolicyUpdates,
  EMPTY_SNAPSHOT,
  type MeshSnapshot,
  type PolicyChange,
} from "@meltemi/model";
import type { Clock } from "@meltemi/runtime";

export interface MeshStore {
  readonly current: MeshSnapshot;
  applyAddresses(changes: readonly AddressChange[]): void;
  applyPolicies(changes: readonly PolicyChange[]): void;
  /** Called after every replacement. Returns how to stop it. */
  onChange(listener: (next: MeshSnapshot, previous: MeshSnapshot) => void): () => void;
  /**
   * What `find` gives for the first snapshot, from the current one on, for which it gives something; undefined when
   * that takes longer than `timeoutMs` or the signal ends the wait.
   */
  waitFor<T>(
    find: (snapshot: MeshSnapshot) => T | undefined,
    timeoutMs: number,
    signal?: AbortSignal,
  ): Promise<T | undefined>;
}

export function createMeshStore(deps: { readonly clock: Clock }): MeshStore {
  let current = EMPTY_SNAPSHOT;
  const listeners = new Set<(next: MeshSnapshot, previous: MeshSnapshot) => void>();
  const replace = (next: MeshSnapshot): void => {
    const previous = current;
    current = next;
    for (const listener of [...listeners]) listener(next, previous);
  };
  const onChange: MeshStore["onChange"] = (listener) => {
    listeners.add(listener);
    return () => listeners.delete(listener);
  };
  return {
    get current() {
      return current;
    },
    applyAddresses: (changes) => replace(applyAddressUpdates(current, changes)),
    applyPolicies: (changes) => replace(applyPolicyUpdates(current, changes)),
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
