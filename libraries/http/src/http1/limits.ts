/** Bounds of one HTTP/1 connection. Every one is checked before bytes are waited for, and its breach is answered. */

export interface Http1Limits {
  /** Request line or status line with all fields. */
  readonly maxHeadBytes: number;
  /** Field lines of a head, and of trailers. */
  readonly maxFields: number;
  readonly maxTrailerBytes: number;
  /** Of all chunks of one body together: an extension costs work and carries nothing. */
  readonly maxChunkExtensionBytes: number;
}

/** Envoy's defaults (`max_request_headers_kb` 60, 100 fields); it has no bound on extensions, Node's is 16 KiB. */
export const DEFAULT_HTTP1_LIMITS: Http1Limits = {
  maxHeadBytes: 60 * 1024,
  maxFields: 100,
  maxTrailerBytes: 8 * 1024,
  maxChunkExtensionBytes: 16 * 1024,
};

/** Why a message is refused, and with which status a server says so. `why` never repeats bytes of the peer. */
export interface Refusal {
  readonly kind: "bad";
  readonly status: 400 | 408 | 431 | 501 | 505;
  readonly why: string;
}

export function refuse(why: string, status: Refusal["status"] = 400): Refusal {
  return { kind: "bad", status, why };
}
