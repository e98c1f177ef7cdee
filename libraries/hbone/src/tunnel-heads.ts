/** What a header list means to a tunnel (RFC 9113 §8.5): CONNECT, its answer, or neither. */
import { FieldKind, type HeaderEntry } from "@meltemi/http/http2-transport";
import type { HeaderField, HeaderFields } from "./headers.ts";

export type RequestHead =
  | { readonly kind: "connect"; readonly authority: string; readonly headers: HeaderFields }
  /** Well formed, but not for us: answered 400. */
  | { readonly kind: "not-connect" }
  /** A stream error, PROTOCOL_ERROR. */
  | { readonly kind: "malformed"; readonly why: string };

export type ResponseHead =
  | { readonly kind: "final"; readonly status: number; readonly headers: HeaderFields }
  | { readonly kind: "informational" }
  | { readonly kind: "malformed"; readonly why: string };

const REQUEST_PSEUDO: ReadonlySet<FieldKind> = new Set([
  FieldKind.method,
  FieldKind.scheme,
  FieldKind.path,
  FieldKind.authority,
  FieldKind.protocol,
]);
const RESPONSE_PSEUDO: ReadonlySet<FieldKind> = new Set([FieldKind.status]);
const NO_PSEUDO: ReadonlySet<FieldKind> = new Set();

interface SplitFields {
  readonly pseudo: ReadonlyMap<FieldKind, string>;
  readonly headers: HeaderFields;
}

export function readRequestHead(fields: readonly HeaderEntry[]): RequestHead {
  const split = splitFields(fields, REQUEST_PSEUDO);
  if (typeof split === "string") return { kind: "malformed", why: split };
  const { pseudo, headers } = split;
  const method = pseudo.get(FieldKind.method);
  if (method === undefined) return { kind: "malformed", why: "no :method" };
  const extended = pseudo.has(FieldKind.protocol);
  const plain = !extended && !pseudo.has(FieldKind.scheme) && !pseudo.has(FieldKind.path);
  if (method === "CONNECT") {
    const authority = pseudo.get(FieldKind.authority);
    if (!plain) return { kind: "malformed", why: "CONNECT with :scheme, :path or :protocol" };
    if (!authority) return { kind: "malformed", why: "CONNECT without :authority" };
    return { kind: "connect", authority, headers };
  }
  if (!pseudo.get(FieldKind.scheme) || !pseudo.get(FieldKind.path) || extended)
    return { kind: "malformed", why: "request without :scheme or :path, or with :protocol" };
  return { kind: "not-connect" };
}

export function readResponseHead(fields: readonly HeaderEntry[]): ResponseHead {
  const split = splitFields(fields, RESPONSE_PSEUDO);
  if (typeof split === "string") return { kind: "malformed", why: split };
  const status = split.pseudo.get(FieldKind.status);
  if (status === undefined || !/^[1-9]\d\d$/.test(status))
    return { kind: "malformed", why: "no valid :status" };
  if (status === "101") return { kind: "malformed", why: "status 101" };
  if (status.startsWith("1")) return { kind: "informational" };
  return { kind: "final", status: Number(status), headers: split.headers };
}

/** True when the list is a proper trailer section, which a tunnel then forgets. */
export function areTrailers(fields: readonly HeaderEntry[]): boolean {
  return typeof splitFields(fields, NO_PSEUDO) !== "string";
}

function splitFields(
  fields: readonly HeaderEntry[],
  permitted: ReadonlySet<FieldKind>,
): SplitFields | string {
  const pseudo = new Map<FieldKind, string>();
  const headers: HeaderField[] = [];
  for (const { name, value, kind } of fields) {
    if (kind === FieldKind.malformed) return "malformed field";
    if (kind === FieldKind.connection || (kind === FieldKind.te && value !== "trailers"))
      return `header ${name}`;
    if (!name.startsWith(":")) {
      headers.push([name, value]);
      continue;
    }
    if (!permitted.has(kind) || pseudo.has(kind) || headers.length > 0) return "misplaced pseudo header";
    pseudo.set(kind, value);
  }
  return { pseudo, headers };
}
