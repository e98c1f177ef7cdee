/** Which header lists are well formed (RFC 9113 §8.2, §8.3, §8.5), and what kind of request they are. */
import type { HeaderField, HeaderFields } from "../headers.ts";

export type RequestHead =
  | { readonly kind: "connect"; readonly authority: string; readonly headers: HeaderFields }
  /** Well formed, but not for us: answered 400. */
  | { readonly kind: "not-connect"; readonly method: string }
  /** A stream error, PROTOCOL_ERROR. */
  | { readonly kind: "malformed"; readonly why: string };

export type ResponseHead =
  | { readonly kind: "final"; readonly status: number; readonly headers: HeaderFields }
  | { readonly kind: "informational" }
  | { readonly kind: "malformed"; readonly why: string };

/** RFC 9110 token, lower case. */
const NAME = /^[!#$%&'*+\-.^_`|~0-9a-z]+$/;
/** Printable latin1, spaces and tabs inside only. */
const VALUE = /^(?:[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?$/;
/** Meaningless in HTTP/2, and a sign of smuggling (RFC 9113 §8.2.2). */
const FORBIDDEN: ReadonlySet<string> = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "transfer-encoding",
  "upgrade",
]);
const REQUEST_PSEUDO: ReadonlySet<string> = new Set([
  ":method",
  ":scheme",
  ":path",
  ":authority",
  ":protocol",
]);
const RESPONSE_PSEUDO: ReadonlySet<string> = new Set([":status"]);

interface SplitFields {
  readonly pseudo: ReadonlyMap<string, string>;
  readonly headers: HeaderFields;
}

export function readRequestHead(fields: HeaderFields): RequestHead {
  const split = splitFields(fields, REQUEST_PSEUDO);
  if (typeof split === "string") return { kind: "malformed", why: split };
  const { pseudo, headers } = split;
  const method = pseudo.get(":method");
  if (method === undefined) return { kind: "malformed", why: "no :method" };
  const plain = !pseudo.has(":scheme") && !pseudo.has(":path") && !pseudo.has(":protocol");
  if (method === "CONNECT") {
    const authority = pseudo.get(":authority");
    if (!plain) return { kind: "malformed", why: "CONNECT with :scheme, :path or :protocol" };
    if (!authority) return { kind: "malformed", why: "CONNECT without :authority" };
    return { kind: "connect", authority, headers };
  }
  if (!pseudo.get(":scheme") || !pseudo.get(":path") || pseudo.has(":protocol"))
    return { kind: "malformed", why: "request without :scheme or :path, or with :protocol" };
  return { kind: "not-connect", method };
}

export function readResponseHead(fields: HeaderFields): ResponseHead {
  const split = splitFields(fields, RESPONSE_PSEUDO);
  if (typeof split === "string") return { kind: "malformed", why: split };
  const status = split.pseudo.get(":status");
  if (status === undefined || !/^[1-9]\d\d$/.test(status))
    return { kind: "malformed", why: "no valid :status" };
  if (status === "101") return { kind: "malformed", why: "status 101" };
  if (status.startsWith("1")) return { kind: "informational" };
  return { kind: "final", status: Number(status), headers: split.headers };
}

/** Undefined when the list is a proper trailer section; otherwise why not. */
export function trailerFault(fields: HeaderFields): string | undefined {
  const split = splitFields(fields, new Set());
  return typeof split === "string" ? split : undefined;
}

function splitFields(fields: HeaderFields, permitted: ReadonlySet<string>): SplitFields | string {
  const pseudo = new Map<string, string>();
  const headers: HeaderField[] = [];
  for (const field of fields) {
    const [name, value] = field;
    if (!VALUE.test(value)) return "header value with a control character or outer space";
    if (name.startsWith(":")) {
      if (!permitted.has(name) || pseudo.has(name) || headers.length > 0) return "misplaced pseudo header";
      pseudo.set(name, value);
      continue;
    }
    if (!NAME.test(name)) return "header name that is not a lower-case token";
    if (FORBIDDEN.has(name) || (name === "te" && value !== "trailers")) return `header ${name}`;
    headers.push(field);
  }
  return { pseudo, headers };
}
