import type { HeaderListLimits } from "../hpack/decoder.ts";

/** Figures of one HTTP/2 connection that both roles have. */
export interface Http2Options extends HeaderListLimits {
  /** SETTINGS_INITIAL_WINDOW_SIZE: what one stream may have in flight, and the most it can make this process hold. */
  readonly streamWindowBytes: number;
  /** Receive window of a whole connection, and so the most that all its stalled streams hold together. */
  readonly connectionWindowBytes: number;
  /** SETTINGS_MAX_FRAME_SIZE that we accept. */
  readonly maxFrameBytes: number;
  /** SETTINGS_MAX_CONCURRENT_STREAMS that we grant (server), or our own bound per connection (client). */
  readonly maxStreams: number;
}

/** Times of a connection over a byte channel. */
export interface Http2Timeouts {
  /**
   * Quiet time before a PING; undefined: none is sent. A gRPC server ends connections that ping more often than it permits
   * (five minutes unless told otherwise), so a client of strangers leaves it off.
   */
  readonly keepaliveIntervalMs?: number;
  /** A PING without an answer for this long means that the connection is dead. */
  readonly keepaliveTimeoutMs: number;
  /** For the peer's preface and first SETTINGS, and for a frame or header block that was begun: bytes that trickle hold memory. */
  readonly headTimeoutMs: number;
  /** A connection without a request for this long is drained; undefined: never. Checked at intervals, so up to twice as long. */
  readonly idleTimeoutMs?: number;
  /** A drained peer that does not answer has this long to take notice before the connection is closed. */
  readonly drainNoticeMs: number;
}

export interface Http2ConnectionOptions extends Http2Options, Http2Timeouts {}

const COMMON = {
  streamWindowBytes: 256 * 1024,
  connectionWindowBytes: 4 * 1024 * 1024,
  maxFrameBytes: 64 * 1024,
  maxHeaderListBytes: 60 * 1024,
  maxHeaderFields: 100,
  keepaliveTimeoutMs: 20_000,
  headTimeoutMs: 10_000,
  drainNoticeMs: 5000,
} as const;

/** Envoy's limits of header bytes, fields and streams (reference: l7-and-cli §1.10), and its idle hour. */
export const HTTP2_SERVER_DEFAULTS: Http2ConnectionOptions = {
  ...COMMON,
  maxStreams: 100,
  idleTimeoutMs: 3_600_000,
};
/** The pool that owns a client connection decides when it was idle for too long. */
export const HTTP2_CLIENT_DEFAULTS: Http2ConnectionOptions = { ...COMMON, maxStreams: 1000 };
