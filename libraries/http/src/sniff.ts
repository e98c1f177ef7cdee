/**
 * What a client speaks, by its first bytes, for ports whose protocol nobody declared. A protocol in which the server speaks first
 * shows nothing: how long to wait for a byte is the caller's choice (Istio's `protocolDetectionTimeout`).
 */

import { LOWER_TOKEN, TARGET } from "./http1/characters.ts";
import { CLIENT_PREFACE } from "./http2/constants.ts";
import { type ClientHello, readClientHello } from "./sniff-tls.ts";

export type Sniffed =
  /** More bytes will tell. */
  | { readonly kind: "need" }
  /** A request line of HTTP/1.0 or HTTP/1.1. */
  | { readonly kind: "http1" }
  /** The preface of HTTP/2 with prior knowledge. */
  | { readonly kind: "http2" }
  | ({ readonly kind: "tls" } & ClientHello)
  | { readonly kind: "other" };

const NEED: Sniffed = { kind: "need" };
const OTHER: Sniffed = { kind: "other" };
const PREFACE = Buffer.from(CLIENT_PREFACE);
/** Longer than every registered method. */
const MAX_METHOD_BYTES = 32;
/** A request line that is longer is taken for one by its beginning. */
const MAX_LINE_BYTES = 8 * 1024;
const TLS_HANDSHAKE = 22;
const SP = 32;

/** `bytes` are all that came so far; the answer is `need` for no more than 16 KiB. */
export function sniff(bytes: Uint8Array): Sniffed {
  if (bytes.length === 0) return NEED;
  if (bytes[0] === TLS_HANDSHAKE) return sniffTls(bytes);
  const prefaceBytes = Math.min(bytes.length, PREFACE.length);
  if (PREFACE.subarray(0, prefaceBytes).equals(bytes.subarray(0, prefaceBytes)))
    return prefaceBytes === PREFACE.length ? { kind: "http2" } : NEED;
  return sniffRequestLine(bytes);
}

function sniffTls(bytes: Uint8Array): Sniffed {
  const hello = readClientHello(bytes);
  return hello.kind === "ok" ? { kind: "tls", ...hello.hello } : hello.kind === "need" ? NEED : OTHER;
}

/** The version decides: `GET key` is Redis, and a line of SMTP has a method's form. */
function sniffRequestLine(bytes: Uint8Array): Sniffed {
  let at = 0;
  while (at < bytes.length && LOWER_TOKEN[bytes[at] as number] !== 0) at++;
  if (at > MAX_METHOD_BYTES) return OTHER;
  if (at === bytes.length) return NEED;
  if (at === 0 || bytes[at] !== SP) return OTHER;
  const targetFrom = ++at;
  while (at < bytes.length && TARGET[bytes[at] as number] === 1) at++;
  if (at === bytes.length) return at > MAX_LINE_BYTES ? { kind: "http1" } : NEED;
  if (at === targetFrom || bytes[at] !== SP) return OTHER;
  return sniffVersion(bytes.subarray(at + 1));
}

const VERSIONS: readonly string[] = ["HTTP/1.1\r", "HTTP/1.0\r"];

function sniffVersion(bytes: Uint8Array): Sniffed {
  const text = Buffer.from(bytes.subarray(0, 9)).toString("latin1");
  if (VERSIONS.includes(text)) return { kind: "http1" };
  return VERSIONS.some((version) => version.startsWith(text)) ? NEED : OTHER;
}
