/**
 * The key and its answer by which HTTP/1.1 opens a WebSocket (RFC 6455 §4.1, §4.2.2). HTTP/2 has neither (RFC 8441 §5), and its codec
 * leaves them out: between two versions the proxy is the party that makes, checks or answers the key.
 */

import { createHash } from "node:crypto";
import type { HttpVersion, RequestHead, ResponseHead } from "@meltemi/http";

const KEY = "sec-websocket-key";
const ACCEPT = "sec-websocket-accept";
const KEY_BYTES = 16;
/** RFC 6455 §1.3. */
const PROTOCOL_ID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/** Gives the request of an HTTP/2 client the key that a server of HTTP/1.1 will ask for. `random` gives numbers in [0, 1). */
export function addKey({ version, upgrade, headers }: RequestHead, random: () => number): void {
  if (upgrade !== "websocket" || version !== "HTTP/2") return;
  const bytes = Uint8Array.from({ length: KEY_BYTES }, () => Math.floor(random() * 256));
  headers.set(KEY, Buffer.from(bytes).toString("base64"));
}

/**
 * Makes an accepted upgrade one that the client of `request` can believe. `upstream`: what the server spoke. Undefined when that is
 * done; else what is wrong with the server's answer. Between two sides of HTTP/1.1 the client checks by itself.
 */
export function acceptUpgrade(
  request: RequestHead,
  upstream: HttpVersion,
  response: ResponseHead,
): string | undefined {
  if (request.upgrade !== "websocket") return undefined;
  const isClientHttp2 = request.version === "HTTP/2";
  if (isClientHttp2 === (upstream === "HTTP/2")) return undefined;
  const key = request.headers.get(KEY);
  // A client that brought no key gets no answer to it, and knows what to think of that.
  if (key === undefined) return undefined;
  const expected = createHash("sha1")
    .update(key + PROTOCOL_ID, "latin1")
    .digest("base64");
  if (!isClientHttp2) {
    response.headers.set(ACCEPT, expected);
    return undefined;
  }
  const accept = response.headers.get(ACCEPT);
  return accept === expected ? undefined : `${ACCEPT}: expected ${expected}, got ${accept ?? "none"}`;
}
