/** How the end of a body is known (RFC 9112 §6.3). */
export type BodyFraming =
  | { readonly kind: "none" }
  | { readonly kind: "length"; readonly bytes: number }
  | { readonly kind: "chunked" }
  /** A response to whoever cannot read chunks, or from whoever does not send them. */
  | { readonly kind: "untilClose" }
  /** After 101, or 2xx to CONNECT: bytes of another protocol, to the end of the connection. */
  | { readonly kind: "tunnel" };

export const NO_BODY: BodyFraming = { kind: "none" };
export const CHUNKED: BodyFraming = { kind: "chunked" };
export const UNTIL_CLOSE: BodyFraming = { kind: "untilClose" };
export const TUNNEL: BodyFraming = { kind: "tunnel" };
