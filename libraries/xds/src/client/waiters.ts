/** Who waits for which name. */

import { MeshError } from "@meltemi/runtime";

/** Connections that wait for one lookup; beyond it the node has other troubles, and the newest are refused. */
const MAX_WAITERS = 10_000;

export interface Waiters {
  wait(name: string, signal?: AbortSignal): Promise<void>;
  /** Resolves those whose name `isKnown`. */
  wake(isKnown: (name: string) => boolean): void;
  /** Rejects all. */
  abandon(reason: MeshError): void;
}

export function createWaiters(): Waiters {
  const byName = new Map<string, Set<PromiseWithResolvers<void>>>();
  let count = 0;

  const remove = (name: string, waiter: PromiseWithResolvers<void>): void => {
    const waiting = byName.get(name);
    if (waiting?.delete(waiter)) count--;
    if (waiting?.size === 0) byName.delete(name);
  };

  return {
    async wait(name, signal) {
      if (count >= MAX_WAITERS)
        throw new MeshError("LIMIT_EXCEEDED", `fetch ${name}: ${MAX_WAITERS} lookups are waiting already`);
      const waiter = Promise.withResolvers<void>();
      const waiting = byName.get(name) ?? new Set();
      byName.set(name, waiting.add(waiter));
      count++;
      const onAbort = (): void => waiter.reject(signal?.reason);
      signal?.addEventListener("abort", onAbort, { once: true });
      try {
        await waiter.promise;
      } finally {
        signal?.removeEventListener("abort", onAbort);
        remove(name, waiter);
      }
    },
    wake(isKnown) {
      for (const [name, waiting] of byName) {
        if (isKnown(name)) for (const waiter of waiting) waiter.resolve();
      }
    },
    abandon(reason) {
      for (const waiting of byName.values()) for (const waiter of waiting) waiter.reject(reason);
    },
  };
}
