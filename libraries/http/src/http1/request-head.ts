/** The head of a request, as strict as RFC 9112 asks of a server or stricter: what two readers could read differently is refused. */

import type { HttpVersion, RequestHead } from "../exchange.ts";
import { HeaderFields } from "../headers.ts";
import { isAuthority } from "./authority.ts";
import { CR, LF, LOWER_TOKEN, SP, TARGET } from "./characters.ts";
import { FieldSection, type HeadBytes, headBytes } from "./field-section.ts";
import { type BodyFraming, CHUNKED, NO_BODY } from "./framing.ts";
import { type Http1Limits, type Refusal, refuse } from "./limits.ts";
import { parseTarget, type RequestTarget } from "./request-target.ts";

export interface ParsedRequest {
  readonly kind: "ok";
  readonly head: RequestHead;
  /** Of the body before any change of protocol. */
  readonly body: BodyFraming;
  /** The client lets the connection serve another request. */
  readonly keepAlive: boolean;
}

/** Reads `bytes[start, end)`, a whole head with its empty line. */
export function parseRequestHead(
  bytes: Buffer,
  start: number,
  end: number,
  limits: Http1Limits,
): ParsedRequest | Refusal {
  const head = headBytes(bytes, start, end);
  const line = parseRequestLine(head);
  if (line.kind === "bad") return line;
  const fields = new FieldSection();
  const refusal = fields.read(head, line.end, limits.maxFields) ?? refuseMeaning(line, fields);
  if (refusal !== undefined) return refusal;
  const target = parseTarget(line.method, line.target);
  if (target.kind === "bad") return target;
  return assemble(line, target, fields);
}

interface RequestLine {
  readonly kind: "ok";
  readonly method: string;
  readonly target: string;
  readonly version: HttpVersion;
  /** Where the fields begin. */
  readonly end: number;
}

function parseRequestLine({ bytes, text, base }: HeadBytes): RequestLine | Refusal {
  let at = base;
  while (LOWER_TOKEN[bytes[at] as number] !== 0) at++;
  if (at === base || bytes[at] !== SP) return refuse("request line: expected a method and one space");
  const targetFrom = ++at;
  while (TARGET[bytes[at] as number] === 1) at++;
  if (at === targetFrom || bytes[at] !== SP)
    return refuse(
      `request line: expected visible characters without # and one space, got byte ${String(bytes[at])}`,
    );
  const versionFrom = at + 1 - base;
  const version = text.slice(versionFrom, versionFrom + 8);
  if (version !== "HTTP/1.1" && version !== "HTTP/1.0") return refuseVersion(version);
  if (bytes[at + 9] !== CR || bytes[at + 10] !== LF)
    return refuse("request line: expected its end after the version");
  const method = text.slice(0, targetFrom - 1 - base);
  return { kind: "ok", method, target: text.slice(targetFrom - base, at - base), version, end: at + 11 };
}

function refuseVersion(version: string): Refusal {
  if (/^HTTP\/\d\.\d$/.test(version)) return refuse("version: expected HTTP/1.0 or HTTP/1.1", 505);
  return refuse("request line: expected an HTTP version after one space");
}

function refuseMeaning(line: RequestLine, fields: FieldSection): Refusal | undefined {
  if (line.version === "HTTP/1.0") {
    if (fields.chunked) return refuse("transfer-encoding: expected none with HTTP/1.0");
  } else if (fields.host === undefined || fields.host === "") return refuse("host: expected one field");
  if (fields.host !== undefined && fields.host !== "" && !isAuthority(fields.host, "port optional"))
    return refuse("host: expected a host and an optional port");
  if (line.method === "CONNECT" && (fields.chunked || fields.contentLength > 0))
    return refuse("CONNECT: expected no body");
  return undefined;
}

function assemble(line: RequestLine, target: RequestTarget, fields: FieldSection): ParsedRequest {
  const body = framingOf(fields);
  const modern = line.version === "HTTP/1.1";
  const upgrade = modern && body.kind === "none" ? upgradeOf(fields) : undefined;
  return {
    kind: "ok",
    head: {
      version: line.version,
      method: line.method,
      scheme: target.scheme,
      authority: target.authority ?? fields.host ?? "",
      path: target.path,
      headers: new HeaderFields(fields.flat),
      upgrade: line.method === "CONNECT" ? undefined : upgrade,
      expectsContinue: modern && fields.expectsContinue && body.kind !== "none",
    },
    body,
    keepAlive: !fields.close && (modern || fields.keepAlive),
  };
}

function framingOf(fields: FieldSection): BodyFraming {
  if (fields.chunked) return CHUNKED;
  if (fields.contentLength > 0) return { kind: "length", bytes: fields.contentLength };
  return NO_BODY;
}

/**
 * The first protocol that is asked for. Never h2c: behind an upgrade to it, requests would pass that no policy has seen; a server
 * may ignore any upgrade (RFC 9110 §7.8).
 */
function upgradeOf(fields: FieldSection): string | undefined {
  if (fields.upgrade === undefined || !fields.upgradeNominated) return undefined;
  for (const part of fields.upgrade.toLowerCase().split(",")) {
    const protocol = part.trim();
    if (isProtocol(protocol) && protocol !== "h2c" && protocol !== "h2") return protocol;
  }
  return undefined;
}

/** A name and an optional version (RFC 9110 §7.8). */
export const isProtocol = (text: string): boolean =>
  /^[!#$%&'*+.^_`|~0-9a-z-]+(\/[!#$%&'*+.^_`|~0-9a-z-]+)?$/.test(text);
