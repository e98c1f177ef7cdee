/**
 * Bounds on cheap frames that make the other side work (CVE-2019-9512 to 9518, CVE-2023-44487, CVE-2024-27316).
 * A burst is permitted, then a rate; beyond it the connection ends with ENHANCE_YOUR_CALM.
 */
import { type ConnectionError, connectionError, ErrorCode } from "./constants.ts";

interface Allowance {
  readonly burst: number;
  readonly perSecond: number;
}

export type FloodKind = "ping" | "settings" | "earlyReset" | "refusedStream" | "noise";

export const FLOOD_ALLOWANCES: Readonly<Record<FloodKind, Allowance>> = {
  /** Keepalive needs one in ten seconds; bandwidth probes of some clients send one per round trip. */
  ping: { burst: 500, perSecond: 50 },
  /** One at the start, one or two later, is all that anyone sends. */
  settings: { burst: 50, perSecond: 5 },
  /** Streams reset before they were answered: an application that gives up, or a rapid reset attack. */
  earlyReset: { burst: 1000, perSecond: 100 },
  /** Streams refused for being malformed, too large, or one too many. */
  refusedStream: { burst: 1000, perSecond: 100 },
  /** Frames without effect: empty DATA, PRIORITY, unknown types, frames for streams that we reset. */
  noise: { burst: 10_000, perSecond: 1000 },
};

/** Token buckets; one is made when its kind of frame first comes, so a quiet connection has none. */
export class FloodGuard {
  readonly #buckets = new Map<FloodKind, { tokens: number; atMs: number }>();

  /** Counts one frame. */
  count(kind: FloodKind, nowMs: number): ConnectionError | undefined {
    const allowance = FLOOD_ALLOWANCES[kind];
    let bucket = this.#buckets.get(kind);
    if (bucket === undefined) {
      bucket = { tokens: allowance.burst, atMs: nowMs };
      this.#buckets.set(kind, bucket);
    }
    const refill = ((nowMs - bucket.atMs) / 1000) * allowance.perSecond;
    bucket.tokens = Math.min(allowance.burst, bucket.tokens + refill) - 1;
    bucket.atMs = nowMs;
    if (bucket.tokens >= 0) return undefined;
    return connectionError(
      ErrorCode.enhanceYourCalm,
      `flood of ${kind}: more than ${allowance.perSecond} a second`,
    );
  }
}
