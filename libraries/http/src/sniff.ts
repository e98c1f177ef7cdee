/**
 * What a client speaks, by its first bytes, for ports whose protocol nobody declared. A protocol in which the server speaks first
 * shows nothing: how long to wait for a byte is the caller's choice (Istio's `protocolDetectionTimeout`).
 */

import { CR, LF, LOWER_TOKEN, SP, TARGET } from "./http1/characters.ts";
import { CLIENT_PREFACE } from "./http2/constants.ts";
import { type ClientHello, readClientHello } from "./sniff-tls.ts";

export type Sniffed =
  /** More bytes will tell. */
  | { readonly kind: "need" }
  /** A request line of HTTP/1, well formed or not. */
  | { readonly kind: "http1" }
  /** The preface of HTTP/2 with prior knowledge. */
  | { readonly kind: "http2" }
  | ({ readonly kind: "tls" } & ClientHello)
  | { readonly kind: "other" };

const NEED: Sniffed = { kind: "need" };
const OTHER: Sniffed = { kind: "other" };
const HTTP1: Sniffed = { kind: "http1" };
const PREFACE = Buffer.from(CLIENT_PREFACE);
/** What begins like a request line and is longer is taken for one. */
const MAX_LINE_BYTES = 8 * 1024;
const TLS_HANDSHAKE = 22;

/** The same for a client that has ended: nothing comes that would tell more, and some servers take the end for a line's. */
export function sniffWhole(bytes: Uint8Array): Exclude<Sniffed, { readonly kind: "need" }> {
  const sniffed = sniff(Buffer.concat([bytes, Buffer.of(LF)]));
  return sniffed.kind === "need" ? { kind: "other" } : sniffed;
}

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

/**
 * The version decides: `GET key` is Redis, and a line of SMTP has a method's form. What a lenient server may take for a request is
 * one too, to be refused: as bytes of something else it would reach that server past every policy on requests.
 */
function sniffRequestLine(bytes: Uint8Array): Sniffed {
  const strict = sniffStrictLine(bytes);
  return strict.kind === "other" ? sniffLooseLine(bytes) : strict;
}

function sniffStrictLine(bytes: Uint8Array): Sniffed {
  let at = 0;
  while (at < bytes.length && LOWER_TOKEN[bytes[at] as number] !== 0) at++;
  if (at === bytes.length) return at > MAX_LINE_BYTES ? HTTP1 : NEED;
  if (at === 0 || bytes[at] !== SP) return OTHER;
  const targetFrom = ++at;
  while (at < bytes.length && TARGET[bytes[at] as number] === 1) at++;
  if (at === bytes.length) return at > MAX_LINE_BYTES ? HTTP1 : NEED;
  if (at === targetFrom || bytes[at] !== SP) return OTHER;
  return sniffVersion(bytes.subarray(at + 1));
}

const VERSIONS: readonly string[] = ["HTTP/1.1\r", "HTTP/1.0\r"];

function sniffVersion(bytes: Uint8Array): Sniffed {
  const text = Buffer.from(bytes.subarray(0, 9)).toString("latin1");
  if (VERSIONS.includes(text)) return HTTP1;
  return VERSIONS.some((version) => version.startsWith(text)) ? NEED : OTHER;
}

/** Empty lines and blanks in front, and all that some server takes for white space between the words: Python's has most. */
function sniffLooseLine(bytes: Uint8Array): Sniffed {
  let at = 0;
  while (at < bytes.length && isBlank(bytes[at] as number)) at++;
  const from = at;
  while (at < bytes.length && LOWER_TOKEN[bytes[at] as number] !== 0) at++;
  if (at === bytes.length) return at > MAX_LINE_BYTES ? HTTP1 : NEED;
  if (at === from || bytes[at] === LF || !isBlank(bytes[at] as number)) return OTHER;
  const end = bytes.indexOf(LF, at);
  if (end < 0) return bytes.length > MAX_LINE_BYTES ? HTTP1 : NEED;
  const line = Buffer.from(bytes.subarray(from, end)).toString("latin1");
  return HAS_VERSION.test(line) || HTTP_0_9.test(line) ? HTTP1 : OTHER;
}

const HAS_VERSION = /http\/\d/i;
/** Without a version; nginx and Apache still answer it. */
const HTTP_0_9 = /^get\s+(\/|https?:)/i;

const isBlank = (byte: number): boolean =>
  byte === SP || (byte >= 9 && byte <= CR) || (byte >= 0x1c && byte < SP) || byte === 0x85 || byte === 0xa0;
