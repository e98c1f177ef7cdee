/**
 * Writes heads of messages as header blocks (RFC 9113 §8.3, §8.5; RFC 8441 §4). What comes out is valid until the next is made;
 * undefined: a name or a value cannot be written, which is a program's or a configuration's fault, never the peer's.
 */
import type { HttpAbort, RequestHead } from "../exchange.ts";
import type { HeaderFields } from "../headers.ts";
import type { HpackEncoder } from "../hpack/encoder.ts";
import { ErrorCode } from "./constants.ts";

/** `GET` with an upgrade goes as extended CONNECT. */
export function encodeRequest(encoder: HpackEncoder, head: RequestHead): Uint8Array | undefined {
  encoder.begin();
  const { upgrade } = head;
  encoder.field(":method", upgrade === undefined ? head.method : "CONNECT");
  if (upgrade !== undefined) encoder.field(":protocol", upgrade);
  if (head.method !== "CONNECT") {
    encoder.field(":scheme", head.scheme === "" ? "http" : head.scheme);
    encoder.field(":path", head.path);
  }
  if (head.authority !== "") encoder.field(":authority", head.authority);
  // An HTTP/1.1 codec took it out; without it, the server does not know that the body waits for its word.
  if (head.expectsContinue && !head.headers.has("expect")) encoder.field("expect", "100-continue");
  if (upgrade === undefined) encoder.fields(head.headers.flat);
  else encodeWithout(encoder, head.headers.flat, "sec-websocket-key");
  return encoder.finish();
}

export function encodeResponse(
  encoder: HpackEncoder,
  status: number,
  headers: HeaderFields,
): Uint8Array | undefined {
  encoder.begin();
  encoder.field(":status", STATUS_TEXTS[status] ?? String(status));
  encoder.fields(headers.flat);
  return encoder.finish();
}

/** The answer that lets an extended CONNECT pass: 101 is 200 here, and has no key to accept. */
export function encodeUpgraded(encoder: HpackEncoder, headers: HeaderFields): Uint8Array | undefined {
  encoder.begin();
  encoder.field(":status", "200");
  encodeWithout(encoder, headers.flat, "sec-websocket-accept");
  return encoder.finish();
}

export function encodeTrailers(encoder: HpackEncoder, trailers: HeaderFields): Uint8Array | undefined {
  encoder.begin();
  encoder.fields(trailers.flat);
  return encoder.finish();
}

/** What belongs to the handshake of HTTP/1.1, or would frame a body that is none, stays out. */
function encodeWithout(encoder: HpackEncoder, flat: readonly string[], left: string): void {
  for (let at = 0; at + 1 < flat.length; at += 2) {
    const name = flat[at] as string;
    if (name !== left && name !== "content-length") encoder.field(name, flat[at + 1] as string);
  }
}

/** The text of each status, so that none is made for each response. */
const STATUS_TEXTS: readonly string[] = Array.from({ length: 600 }, (_, status) => String(status));

/** What a block was refused for. */
export const UNWRITABLE = "expected names in lower case, and values in Latin-1 without control characters";

const ABORT_CODES: Readonly<Record<HttpAbort, number>> = {
  cancelled: ErrorCode.cancel,
  "upstream-failed": ErrorCode.internalError,
  limit: ErrorCode.enhanceYourCalm,
  timeout: ErrorCode.cancel,
  drain: ErrorCode.cancel,
  "internal-error": ErrorCode.internalError,
  refused: ErrorCode.refusedStream,
};

/** Code of the RST_STREAM that tells the peer. On a tunnel a broken far side has a code of its own (RFC 9113 §8.5). */
export function abortCode(reason: HttpAbort, tunnel: boolean): number {
  return tunnel && reason === "upstream-failed" ? ErrorCode.connectError : ABORT_CODES[reason];
}
