/** What load balancing knows of an endpoint. */

import type { Place } from "@meltemi/model";

/** All but `active` never changes; a changed endpoint is a new one, in a new set. */
export interface BalancedEndpoint extends Place {
  readonly uid: string;
  /** `ip:port`; consistent hashing places endpoints by it. */
  readonly address: string;
  /** Relative; zero takes nothing while another takes something. */
  readonly weight: number;
  readonly labels: Readonly<Record<string, string>>;
  readonly healthy: boolean;
  /** When it was first seen, for warm-up; on the clock of `PickRequest.nowMs`. */
  readonly sinceMs: number;
  /** Requests that run there now, counted by whoever sends them. */
  readonly active: number;
}

/** One choice. */
export interface PickRequest {
  readonly nowMs: number;
  /** In [0, 1). */
  readonly random: () => number;
  /** For consistent hashing; undefined where the request lacks the key: any endpoint will do. */
  readonly hash: Hash64 | undefined;
  /** Endpoints by uid that earlier tries of this request went to: another one if there is. */
  readonly tried: readonly string[];
  /** Retries prefer priorities that no try went to yet (`retryRemoteLocalities`). */
  readonly otherPriorities: boolean;
}

/** An unsigned number of 64 bits in two halves; BigInt would allocate for each. */
export interface Hash64 {
  readonly high: number;
  readonly low: number;
}
