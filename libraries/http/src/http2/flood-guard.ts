/**
 * Bounds on cheap frames that make the other side work (CVE-2019-9512 to 9518, CVE-2023-44487, CVE-2024-27316).
 * A burst is permitted, then a rate; beyond it the connection ends with ENHANCE_YOUR_CALM.
 */
import { type ConnectionError, connectionError, ErrorCode } from "./constants.ts";

interface Allowance {
  readonly burst: number;
  readonly perSecond: number;
}

export type FloodKind = "ping" | "settings" | "rapidReset" | "refusedStream" | "noise";

export const FLOOD_ALLOWANCES: Readonly<Record<FloodKind, Allowance>> = {
  /** Keepalive needs one in ten seconds; bandwidth probes of some clients send one per round trip. */
  ping: { burst: 500, perSecond: 50 },
  /** One at the start, one or two later, is all that anyone sends. */
  settings: { burst: 50, perSecond: 5 },
  /** Streams reset without an answer within {@link RAPID_RESET_MS}. */
  rapidReset: { burst: 1000, perSecond: 100 },
  /** Streams that we refuse or reset because of what the peer sent: malformed, too large, one too many, made to be reset (CVE-2025-8671). */
  refusedStream: { burst: 1000, perSecond: 100 },
  /** Frames without effect: empty DATA, PRIORITY, unknown types, informational heads, window updates that nothing was sent for. */
  noise: { burst: 10_000, perSecond: 1000 },
};

/**
 * A stream that its peer resets sooner than this after its HEADERS, before it was answered, was hardly meant: a rapid reset
 * (CVE-2023-44487). Later ones are callers that give up on a port which hangs. They hold their stream meanwhile, so `maxStreams`
 * bounds their rate, and counting them would let one sick port end a connection on which others are well served.
 */
export const RAPID_RESET_MS = 100;

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
