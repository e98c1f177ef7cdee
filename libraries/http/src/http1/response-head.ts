/** The head of a response; as strict as for requests, since a confused response ends in another client's hands. */

import { HeaderFields } from "../headers.ts";
import { CR, FIELD_VALUE, isDigit, LF, SP } from "./characters.ts";
import { FieldSection, type HeadBytes, headBytes } from "./field-section.ts";
import { type BodyFraming, CHUNKED, NO_BODY, TUNNEL, UNTIL_CLOSE } from "./framing.ts";
import { type Http1Limits, type Refusal, refuse } from "./limits.ts";

/** What of its request a response's framing depends on. */
export interface Asked {
  readonly method: string;
  readonly upgrade: boolean;
}

export interface ParsedResponse {
  readonly kind: "ok";
  readonly status: number;
  readonly headers: HeaderFields;
  readonly body: BodyFraming;
  /** The server lets the connection serve another request. */
  readonly keepAlive: boolean;
}

/** Reads `bytes[start, end)`, a whole head with its empty line. */
export function parseResponseHead(
  bytes: Buffer,
  start: number,
  end: number,
  asked: Asked,
  limits: Http1Limits,
): ParsedResponse | Refusal {
  const head = headBytes(bytes, start, end);
  const line = parseStatusLine(head);
  if (line.kind === "bad") return line;
  const fields = new FieldSection();
  const refusal = fields.read(head, line.end, limits.maxFields);
  if (refusal !== undefined) return refusal;
  if (fields.chunked && !line.modern) return refuse("transfer-encoding: expected none with HTTP/1.0");
  const body = framingOf(line.status, asked, fields);
  if (body.kind === "bad") return body;
  // An expectation is a request's.
  if (fields.expectsContinue) return refuse("expect: expected none in a response");
  const headers = new HeaderFields(fields.flat);
  const bare = line.status < 200 || line.status === 204 || body.kind === "tunnel";
  if (bare) headers.delete("content-length");
  const keepAlive = body.kind !== "untilClose" && !fields.close && (line.modern || fields.keepAlive);
  return { kind: "ok", status: line.status, headers, body, keepAlive };
}

interface StatusLine {
  readonly kind: "ok";
  readonly status: number;
  readonly modern: boolean;
  readonly end: number;
}

/** The reason says nothing that the status does not; it is checked and dropped. Servers without one often leave the space out. */
function parseStatusLine({ bytes, text, base }: HeadBytes): StatusLine | Refusal {
  const modern = text.startsWith("HTTP/1.1 ");
  if (!modern && !text.startsWith("HTTP/1.0 "))
    return refuse("status line: expected HTTP/1.1 or HTTP/1.0 and a space");
  let status = 0;
  for (let at = 9; at < 12; at++) {
    const code = text.charCodeAt(at);
    if (!isDigit(code)) return refuse("status line: expected three digits");
    status = status * 10 + code - 48;
  }
  if (status < 100 || status > 599) return refuse("status line: expected 100 to 599");
  let at = base + 12;
  if (bytes[at] === SP) while (FIELD_VALUE[bytes[at] as number] === 1) at++;
  if (bytes[at] !== CR || bytes[at + 1] !== LF)
    return refuse("status line: expected its end after the reason");
  return { kind: "ok", status, modern, end: at + 2 };
}

function framingOf(status: number, asked: Asked, fields: FieldSection): BodyFraming | Refusal {
  const connected = asked.method === "CONNECT" && status >= 200 && status < 300;
  if (status === 101 || connected) {
    if (status === 101 && !asked.upgrade) return refuse("status 101: expected after an upgrade only");
    if (fields.chunked) return refuse("transfer-encoding: expected none before a change of protocol");
    return TUNNEL;
  }
  if (status < 200 || status === 204) {
    if (fields.chunked || fields.contentLength > 0) return refuse(`status ${status}: expected no body`);
    return NO_BODY;
  }
  if (status === 304 || asked.method === "HEAD") return NO_BODY;
  if (fields.chunked) return CHUNKED;
  if (fields.contentLength < 0) return UNTIL_CLOSE;
  return fields.contentLength === 0 ? NO_BODY : { kind: "length", bytes: fields.contentLength };
}
