/** HTTP/2 and keepalive figures of HBONE (reference: protocol §1.6); tests lower them. */
export interface HboneOptions {
  /** SETTINGS_INITIAL_WINDOW_SIZE: what one stream may have in flight, and the most it can make this process hold. */
  readonly streamWindowBytes: number;
  /** Receive window of a whole connection, and so the most that all its stalled streams hold together. */
  readonly connectionWindowBytes: number;
  /** SETTINGS_MAX_FRAME_SIZE that we accept. */
  readonly maxFrameBytes: number;
  /** SETTINGS_MAX_HEADER_LIST_SIZE that we accept: 65536 as server, 16384 as client. */
  readonly maxHeaderListBytes: number;
  /** Fields of one header list; CONNECT has a handful. */
  readonly maxHeaderFields: number;
  /** SETTINGS_MAX_CONCURRENT_STREAMS that we grant (server), or the pool's own cap per connection (client). */
  readonly maxStreams: number;
  /** From connection start to the first PING, and from each answer to the next one. */
  readonly keepaliveIntervalMs: number;
  /** A PING without an answer for this long means that the connection is dead. */
  readonly keepaliveTimeoutMs: number;
  /** From accept or connect to the peer's verified certificate; half-open handshakes must not pile up. */
  readonly handshakeTimeoutMs: number;
}

const COMMON = {
  streamWindowBytes: 4 * 1024 * 1024,
  connectionWindowBytes: 16 * 1024 * 1024,
  maxFrameBytes: 1024 * 1024,
  maxHeaderFields: 100,
  keepaliveIntervalMs: 10_000,
  keepaliveTimeoutMs: 20_000,
  handshakeTimeoutMs: 10_000,
} as const;

export const HBONE_SERVER_DEFAULTS: HboneOptions = { ...COMMON, maxHeaderListBytes: 65_536, maxStreams: 200 };
export const HBONE_CLIENT_DEFAULTS: HboneOptions = { ...COMMON, maxHeaderListBytes: 16_384, maxStreams: 100 };

/** One TLS write: more does not make it faster, and many of 16 KiB cost two to three times as much. */
export const BATCH_BYTES: number = 256 * 1024;
