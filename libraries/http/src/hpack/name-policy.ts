/** How the encoder represents fields, by their names (RFC 7541 §6.2, §7.1). */

export const Representation = {
  /** Into the dynamic table: what repeats costs a byte. */
  indexed: 0,
  /** Different each time: an entry would only push out useful ones. */
  literal: 1,
  /** A secret; nobody on the way may compress it either, because lengths of compressed blocks tell of their contents. */
  never: 2,
  /** Belongs to one connection of HTTP/1: left out of HTTP/2. */
  dropped: 3,
  /** No name of a field: its block is not made at all. */
  refused: 4,
} as const;
export type Representation = (typeof Representation)[keyof typeof Representation];

const SECRET_NAMES = [
  "authorization",
  "cookie",
  "proxy-authorization",
  "set-cookie",
  "x-api-key",
  "x-auth-token",
  "x-csrf-token",
  "x-forwarded-client-cert",
];
const CHANGING_NAMES = [
  ":path",
  "age",
  "b3",
  "content-length",
  "content-range",
  "etag",
  "expires",
  "forwarded",
  "grpc-timeout",
  "if-modified-since",
  "if-none-match",
  "last-modified",
  "location",
  "range",
  "referer",
  "traceparent",
  "tracestate",
  "x-b3-parentspanid",
  "x-b3-spanid",
  "x-b3-traceid",
  "x-envoy-upstream-service-time",
  "x-forwarded-for",
  "x-request-id",
];

export const NAME_POLICIES: ReadonlyMap<string, Representation> = new Map<string, Representation>([
  ...SECRET_NAMES.map((name) => [name, Representation.never] as const),
  ...CHANGING_NAMES.map((name) => [name, Representation.literal] as const),
]);
