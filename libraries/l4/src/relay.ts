/** Types of the relay; see `relay-session.ts` for the copying. */
import type { AbortReason, ChannelFault } from "./byte-channel.ts";

/** How a relayed connection ended. */
export type RelayEnd =
  /** Both directions were carried to their end. */
  | { readonly kind: "closed" }
  /** One side broke; the other was reset. */
  | { readonly kind: "faulted"; readonly side: "downstream" | "upstream"; readonly fault: ChannelFault }
  /** This process cut it: policy, drain, or a bound. */
  | { readonly kind: "aborted"; readonly reason: AbortReason };

export interface RelayResult {
  readonly end: RelayEnd;
  /** Bytes carried from downstream (who opened the connection) to upstream. */
  readonly sentBytes: number;
  /** Bytes carried from upstream to downstream. */
  readonly receivedBytes: number;
  readonly durationMs: number;
}

export interface RelayOptions {
  /** Neither side sent a byte for this long: reset both. 0 means no bound (TCP keepalive still finds dead peers). */
  readonly idleTimeoutMs: number;
  /** As above, once one direction has ended. 0 means no bound. */
  readonly halfOpenTimeoutMs: number;
}

/** One relayed connection, alive until `finished` resolves. */
export interface RelaySession {
  /** Bytes so far, as in {@link RelayResult}. */
  readonly sentBytes: number;
  readonly receivedBytes: number;
  /** Resets both sides now, for example because a policy changed. */
  abort(reason: AbortReason): void;
  /** Never rejects. */
  readonly finished: Promise<RelayResult>;
}
