/** How much of the CA one client, and all of them together, may use. */

import type { Clock } from "@meltemi/runtime";

export interface AdmissionOptions {
  /** Lasting rate of one client. */
  readonly requestsPerSecond: number;
  /** What a node may ask for at once when it starts. */
  readonly burst: number;
  /** Requests of all clients waiting or being worked on. */
  readonly maxPending: number;
}

/**
 * A node carries a few hundred pods and renews each once or twice a day: a hundred a second is a start-up, more is a fault.
 * A thousand pending ones are about a second of signing: beyond it the client's own retry is the better queue.
 */
export const ADMISSION_DEFAULTS: AdmissionOptions = { requestsPerSecond: 100, burst: 500, maxPending: 1000 };

/** One bucket per node; more clients than this and the idlest is forgotten, which fills its bucket. */
const MAX_CLIENTS = 10_000;

type Admitted =
  | { readonly kind: "admitted"; readonly release: () => void }
  | { readonly kind: "refused"; readonly reason: "too-many-pending" };

export interface Admission {
  /** Takes a place among the pending; `release` gives it back. */
  enter(): Admitted;
  /** Takes one request out of the client's budget; false when it is spent. */
  charge(client: string): boolean;
  readonly pending: number;
}

interface Bucket {
  tokens: number;
  atMs: number;
}

export function createAdmission(options: AdmissionOptions, deps: { readonly clock: Clock }): Admission {
  const buckets = new Map<string, Bucket>();
  let pending = 0;
  return {
    enter() {
      if (pending >= options.maxPending) return { kind: "refused", reason: "too-many-pending" };
      pending++;
      let held = true;
      const release = (): void => {
        if (held) pending--;
        held = false;
      };
      return { kind: "admitted", release };
    },
    charge(client) {
      const nowMs = deps.clock.monotonicMs();
      const bucket = buckets.get(client) ?? { tokens: options.burst, atMs: nowMs };
      const earned = ((nowMs - bucket.atMs) / 1000) * options.requestsPerSecond;
      bucket.tokens = Math.min(options.burst, bucket.tokens + earned);
      bucket.atMs = nowMs;
      // Moved to the end, so that the first one is always the idlest.
      buckets.delete(client);
      buckets.set(client, bucket);
      const [idlest] = buckets.keys();
      if (buckets.size > MAX_CLIENTS && idlest !== undefined) buckets.delete(idlest);
      if (bucket.tokens < 1) return false;
      bucket.tokens--;
      return true;
    },
    get pending() {
      return pending;
    },
  };
}
