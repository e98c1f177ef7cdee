/**
 * One decoded field. What its name is, and whether name and value are proper, is found out once, when the bytes are read: a field
 * that a peer repeats comes from a table, and costs its user no look at its text.
 */

/** What a name means to HTTP/2 (RFC 9113 §8.2, §8.3). */
export const FieldKind = {
  regular: 0,
  /** Not a lower-case token, an unknown pseudo header, or a value with a control character or outer space. */
  malformed: 1,
  /** Of one connection, so meaningless here and a sign of smuggling: RFC 9113 §8.2.2. */
  connection: 2,
  te: 3,
  host: 4,
  contentLength: 5,
  cookie: 6,
  expect: 7,
  method: 8,
  scheme: 9,
  authority: 10,
  path: 11,
  protocol: 12,
  status: 13,
} as const;
export type FieldKind = (typeof FieldKind)[keyof typeof FieldKind];

/** Kinds from here on are pseudo headers. */
export const FIRST_PSEUDO_KIND: number = FieldKind.method;

const KINDS: ReadonlyMap<string, FieldKind> = new Map<string, FieldKind>([
  ["connection", FieldKind.connection],
  ["keep-alive", FieldKind.connection],
  ["proxy-connection", FieldKind.connection],
  ["transfer-encoding", FieldKind.connection],
  ["upgrade", FieldKind.connection],
  ["http2-settings", FieldKind.connection],
  ["te", FieldKind.te],
  ["host", FieldKind.host],
  ["content-length", FieldKind.contentLength],
  ["cookie", FieldKind.cookie],
  ["expect", FieldKind.expect],
  [":method", FieldKind.method],
  [":scheme", FieldKind.scheme],
  [":authority", FieldKind.authority],
  [":path", FieldKind.path],
  [":protocol", FieldKind.protocol],
  [":status", FieldKind.status],
]);

/** RFC 9110 §5.6.2 token, without upper-case letters. */
const TOKEN = new Uint8Array(256);
for (const char of "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz") TOKEN[char.charCodeAt(0)] = 1;

/** Of a name without regard to its value. */
export function kindOfName(name: string): FieldKind {
  const known = KINDS.get(name);
  if (known !== undefined) return known;
  if (name.length === 0) return FieldKind.malformed;
  for (let at = 0; at < name.length; at++) {
    if (TOKEN[name.charCodeAt(at)] !== 1) return FieldKind.malformed;
  }
  return FieldKind.regular;
}

/** RFC 9113 §8.2.1, and no other control character either (RFC 9110 §5.5): `bytes[start..end)` may be a field value. */
export function isProperValue(bytes: Uint8Array, start: number, end: number): boolean {
  if (start === end) return true;
  const first = bytes[start];
  const last = bytes[end - 1];
  if (first === 0x20 || first === 0x09 || last === 0x20 || last === 0x09) return false;
  for (let at = start; at < end; at++) {
    const byte = bytes[at] ?? 0;
    if ((byte < 0x20 && byte !== 0x09) || byte === 0x7f) return false;
  }
  return true;
}

export class HeaderEntry {
  readonly name: string;
  readonly value: string;
  readonly kind: FieldKind;

  constructor(name: string, value: string, kind: FieldKind = kindOfName(name)) {
    this.name = name;
    this.value = value;
    this.kind = kind;
  }

  /** RFC 7541 §4.1: what an entry counts for in a table, and a field in a header list. */
  get bytes(): number {
    return this.name.length + this.value.length + 32;
  }
}
