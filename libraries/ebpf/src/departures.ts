/** Pods that were un-enrolled a short while ago, by the cookie of their namespace. */

import type { Clock, Timer } from "@meltemi/runtime";

/**
 * ztunnel connects what it was given before within its own limits: 5 s until it knows the pod, 10 s until the application answers.
 * A connection that stands needs nothing of a pod's entries any more.
 */
const DEPARTURE_MS = 30_000;

export interface Departures {
  /** `end` is called when nothing can come of the pod any more, unless it comes back. */
  begin(netnsCookie: bigint, end: () => void): void;
  /** The pod is enrolled again, or its entries are gone. */
  cancel(netnsCookie: bigint): void;
  /** Ends none of them: the next run of the agent finds their entries. */
  close(): void;
}

export function createDepartures(clock: Clock): Departures {
  const timers = new Map<bigint, Timer>();
  const cancel = (netnsCookie: bigint): void => {
    timers.get(netnsCookie)?.cancel();
    timers.delete(netnsCookie);
  };
  return {
    begin(netnsCookie, end) {
      cancel(netnsCookie);
      const timer = clock.after(DEPARTURE_MS, () => {
        timers.delete(netnsCookie);
        end();
      });
      timers.set(netnsCookie, timer);
    },
    cancel,
    close() {
      for (const netnsCookie of [...timers.keys()]) cancel(netnsCookie);
    },
  };
}
