/**
 * Heads as text, with the framing that goes with them. Fields that belong to one connection are never written, whoever put them
 * there; names must be lower-case tokens. Values are checked in {@link import("./output.ts").Output.head}, as bytes.
 */

import type { RequestHead, ResponseHead } from "../exchange.ts";
import type { HeaderFields } from "../headers.ts";
import { isAuthority } from "./authority.ts";
import { FieldKind, isLowerToken, WrittenNames } from "./field-names.ts";
import { parseLength } from "./field-section.ts";
import { type BodyFraming, CHUNKED, NO_BODY, TUNNEL, UNTIL_CLOSE } from "./framing.ts";
import { isProtocol } from "./request-head.ts";
import { statusLine } from "./status-text.ts";

const NAMES = new WrittenNames();

export interface HeadText {
  readonly kind: "ok";
  readonly text: string;
  /** With the empty line. */
  readonly lines: number;
  /** Of the body that follows. */
  readonly body: BodyFraming;
}

/** The head cannot be written: a program's or a configuration's fault, never the peer's. */
export interface UnwritableHead {
  readonly kind: "bad";
  readonly why: string;
}

const bad = (why: string): UnwritableHead => ({ kind: "bad", why });

/** The lines of fields that are passed on. */
class FieldLines {
  text = "";
  lines = 0;
  /** -1: none. */
  contentLength = -1;
  acceptsTrailers = false;
  fault: string | undefined;

  constructor(headers: HeaderFields) {
    const { flat } = headers;
    let text = "";
    for (let at = 0; at < flat.length; at += 2) {
      const name = flat[at] as string;
      const value = flat[at + 1] as string;
      const kind = NAMES.kindOf(name);
      // 100-continue is the exchange's to ask for, once.
      const isExpectation = kind === FieldKind.expect && value.toLowerCase() !== "100-continue";
      if (kind === FieldKind.ordinary || isExpectation) {
        text += `${name}: ${value}\r\n`;
        this.lines++;
      } else if (kind === undefined) this.fault = "field name: expected a lower-case token";
      else if (kind === FieldKind.contentLength) this.#takeLength(value);
      else if (kind === FieldKind.te) this.acceptsTrailers ||= value === "trailers";
    }
    this.text = text;
  }

  #takeLength(value: string): void {
    if (this.contentLength >= 0) this.fault = "content-length: expected one field, got several";
    this.contentLength = parseLength(value);
    if (this.contentLength < 0) this.fault = "content-length: expected up to 15 digits and nothing else";
  }
}

/** Methods for which a server expects to be told that there is no body (RFC 9110 §8.6). */
const isBodyExpected = (method: string): boolean =>
  method === "POST" || method === "PUT" || method === "PATCH";

export function requestHeadText(head: RequestHead, ended: boolean): HeadText | UnwritableHead {
  const { method, authority, path, upgrade } = head;
  const connect = method === "CONNECT";
  if (!isMethod(method)) return bad("method: expected a token");
  if (authority === "" ? connect : !isAuthority(authority, connect ? "port required" : "port optional"))
    return bad("authority: expected a host and a port");
  if (!connect && path.charCodeAt(0) !== 47 && !(path === "*" && method === "OPTIONS"))
    return bad("path: expected / at its start");
  if (upgrade !== undefined && !isProtocol(upgrade)) return bad("upgrade: expected a protocol in lower case");
  const fields = new FieldLines(head.headers);
  if (fields.fault !== undefined) return bad(fields.fault);
  const body = requestFraming(head, ended, fields.contentLength);
  if (body === undefined) return bad("content-length: expected none, or 0, without a body");
  const own =
    framingLine(body, fields.contentLength, ended && isBodyExpected(method)) +
    (head.expectsContinue && !ended ? "expect: 100-continue\r\n" : "") +
    (fields.acceptsTrailers ? "te: trailers\r\n" : "") +
    connectionLine(upgrade, fields.acceptsTrailers);
  const text = `${method} ${connect ? authority : path} HTTP/1.1\r\nhost: ${authority}\r\n${fields.text}${own}\r\n`;
  return { kind: "ok", text, lines: 3 + fields.lines + linesOf(own), body };
}

function isMethod(method: string): boolean {
  return method === "GET" || method === "POST" || isLowerToken(method.toLowerCase());
}

function requestFraming(head: RequestHead, ended: boolean, length: number): BodyFraming | undefined {
  const changes = head.method === "CONNECT" || head.upgrade !== undefined;
  if (ended || changes) return length > 0 ? undefined : NO_BODY;
  return length < 0 ? CHUNKED : { kind: "length", bytes: length };
}

function framingLine(body: BodyFraming, length: number, saysNone: boolean): string {
  if (body.kind === "chunked") return "transfer-encoding: chunked\r\n";
  if (length >= 0) return `content-length: ${length}\r\n`;
  return saysNone ? "content-length: 0\r\n" : "";
}

function connectionLine(upgrade: string | undefined, acceptsTrailers: boolean): string {
  if (upgrade !== undefined)
    return `connection: ${acceptsTrailers ? "te, " : ""}upgrade\r\nupgrade: ${upgrade}\r\n`;
  return acceptsTrailers ? "connection: te\r\n" : "";
}

/** What of a request decides how its response is written. */
export interface Answered {
  readonly method: string;
  /** HTTP/1.1, not 1.0. */
  readonly modern: boolean;
  readonly upgrade: string | undefined;
  /** The connection serves another request afterwards, if framing permits. */
  readonly keepAlive: boolean;
}

export function responseHeadText(
  head: ResponseHead,
  ended: boolean,
  answered: Answered,
): HeadText | UnwritableHead {
  const { status } = head;
  if (!(Number.isInteger(status) && status <= 599) || (status < 200 && status !== 101))
    return bad("status: expected 101 or 200 to 599");
  if (status === 101 && answered.upgrade === undefined)
    return bad("status 101: expected after an upgrade only");
  const fields = new FieldLines(head.headers);
  if (fields.fault !== undefined) return bad(fields.fault);
  const body = responseFraming(status, ended, answered, fields.contentLength);
  if (ended && body.kind === "length") return bad("content-length: expected none, or 0, without a body");
  const bare = status === 101 || status === 204 || body.kind === "tunnel";
  const silent = bare || status === 304 || answered.method === "HEAD";
  const own =
    (bare ? "" : framingLine(body, fields.contentLength, body.kind === "none" && !silent)) +
    responseConnectionLine(status, body, answered);
  const text = `${statusLine(status)}${fields.text}${own}\r\n`;
  return { kind: "ok", text, lines: 2 + fields.lines + linesOf(own), body };
}

function responseFraming(status: number, ended: boolean, answered: Answered, length: number): BodyFraming {
  if (status === 101 || (answered.method === "CONNECT" && status < 300)) return TUNNEL;
  if (status === 204 || status === 304 || answered.method === "HEAD") return NO_BODY;
  if (length > 0) return { kind: "length", bytes: length };
  if (ended || length === 0) return NO_BODY;
  return answered.modern ? CHUNKED : UNTIL_CLOSE;
}

function responseConnectionLine(status: number, body: BodyFraming, answered: Answered): string {
  if (status === 101) return `connection: upgrade\r\nupgrade: ${String(answered.upgrade)}\r\n`;
  if (body.kind === "tunnel") return "";
  if (!answered.keepAlive || body.kind === "untilClose") return "connection: close\r\n";
  return answered.modern ? "" : "connection: keep-alive\r\n";
}

/** A 1xx other than 101. */
export function informationalText(status: number, headers: HeaderFields): HeadText | UnwritableHead {
  if (!Number.isInteger(status) || status < 100 || status > 199 || status === 101)
    return bad("informational status: expected 100, or 102 to 199");
  const fields = new FieldLines(headers);
  if (fields.fault !== undefined) return bad(fields.fault);
  return {
    kind: "ok",
    text: `${statusLine(status)}${fields.text}\r\n`,
    lines: 2 + fields.lines,
    body: NO_BODY,
  };
}

/** The field lines of trailers. Fields that frame a message are left out (RFC 9110 §6.5.1). */
export function trailerText(trailers: HeaderFields): HeadText | UnwritableHead {
  const fields = new FieldLines(trailers);
  if (fields.fault !== undefined) return bad(fields.fault);
  return { kind: "ok", text: `${fields.text}\r\n`, lines: 1 + fields.lines, body: NO_BODY };
}

function linesOf(text: string): number {
  let lines = 0;
  for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) lines++;
  return lines;
}
