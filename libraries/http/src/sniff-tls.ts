/** The ClientHello of TLS, as far as routing needs it: names of server and protocols (RFC 8446 §4.1.2, RFC 6066 §3, RFC 7301). */

export interface ClientHello {
  /** SNI in lower case; absent when the client named no server, or no DNS name. */
  readonly serverName?: string;
  /** ALPN, in the client's order. */
  readonly alpn: readonly string[];
}

export type ReadHello =
  | { readonly kind: "need" }
  | { readonly kind: "ok"; readonly hello: ClientHello }
  | { readonly kind: "bad"; readonly why: string };

const RECORD_HEADER_BYTES = 5;
const HANDSHAKE_HEADER_BYTES = 4;
const HANDSHAKE = 22;
const CLIENT_HELLO = 1;
/** A hello with post-quantum key shares is about 2 KiB; Envoy's inspector reads 16 KiB. */
const MAX_HELLO_BYTES = 16 * 1024;
/** A hello of 2 KiB in the smallest records that anybody sends is 32; each costs work again for every read. */
const MAX_RECORDS = 64;
/** Of ALPN; real clients offer two or three. */
const MAX_PROTOCOLS = 32;

const bad = (why: string): ReadHello => ({ kind: "bad", why });

export function readClientHello(bytes: Uint8Array): ReadHello {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const joined = joinRecords(view);
  if (typeof joined === "string") return bad(joined);
  if (joined.length < HANDSHAKE_HEADER_BYTES) return { kind: "need" };
  if (joined[0] !== CLIENT_HELLO) return bad("handshake: expected a ClientHello");
  const length = joined.readUIntBE(1, 3);
  if (length > MAX_HELLO_BYTES) return bad(`ClientHello: expected at most ${MAX_HELLO_BYTES} bytes`);
  if (joined.length < HANDSHAKE_HEADER_BYTES + length) return { kind: "need" };
  const reader = new Reader(joined.subarray(HANDSHAKE_HEADER_BYTES, HANDSHAKE_HEADER_BYTES + length));
  const hello = readHello(reader);
  return reader.failed ? bad("ClientHello: a length goes beyond its end") : { kind: "ok", hello };
}

/** The handshake bytes of all records that are here; the last may be incomplete. Or why they are not records of a handshake. */
function joinRecords(bytes: Buffer): Buffer | string {
  const parts: Buffer[] = [];
  for (let at = 0; at < bytes.length; ) {
    if (bytes[at] !== HANDSHAKE) return "record: expected a handshake";
    if (at + 1 < bytes.length && bytes[at + 1] !== 3) return "record: expected version 3";
    if (at + RECORD_HEADER_BYTES > bytes.length) break;
    const length = bytes.readUInt16BE(at + 3);
    if (length === 0 || length > MAX_HELLO_BYTES) return "record: expected 1 to 16384 bytes";
    at += RECORD_HEADER_BYTES;
    parts.push(bytes.subarray(at, at + length));
    at += length;
    if (isWhole(parts)) break;
    if (parts.length === MAX_RECORDS) return `ClientHello: expected at most ${MAX_RECORDS} records`;
  }
  return parts.length === 1 && parts[0] !== undefined ? parts[0] : Buffer.concat(parts);
}

/** What follows the hello is not looked at. */
function isWhole(parts: readonly Buffer[]): boolean {
  const first = parts[0];
  if (first === undefined || first.length < HANDSHAKE_HEADER_BYTES) return false;
  const have = parts.reduce((sum, part) => sum + part.length, 0);
  return have >= HANDSHAKE_HEADER_BYTES + first.readUIntBE(1, 3);
}

function readHello(reader: Reader): ClientHello {
  reader.take(2 + 32);
  reader.take(reader.number(1));
  reader.take(reader.number(2));
  reader.take(reader.number(1));
  let serverName: string | undefined;
  const alpn: string[] = [];
  // Extensions are optional before TLS 1.3.
  const extensions = reader.left === 0 ? reader : reader.nested(2);
  while (extensions.left > 0) {
    const type = extensions.number(2);
    const body = extensions.nested(2);
    if (type === 0) serverName ??= readServerName(body);
    else if (type === 16) readProtocols(body.nested(2), alpn);
    if (body.failed || extensions.failed) reader.failed = true;
    if (reader.failed) break;
  }
  return serverName === undefined ? { alpn } : { serverName, alpn };
}

function readServerName(body: Reader): string | undefined {
  // An empty body is a server's answer; a client that sends it names nothing.
  if (body.left === 0) return undefined;
  const names = body.nested(2);
  while (names.left > 0 && !names.failed) {
    const type = names.number(1);
    const name = names.take(names.number(2));
    if (type === 0) return isDnsName(name) ? name.toString("latin1").toLowerCase() : undefined;
  }
  body.failed ||= names.failed;
  return undefined;
}

function readProtocols(list: Reader, into: string[]): void {
  while (list.left > 0 && !list.failed && into.length < MAX_PROTOCOLS)
    into.push(list.take(list.number(1)).toString("latin1"));
}

const isDnsName = (name: Buffer): boolean =>
  name.length > 0 && name.length <= 255 && /^[0-9A-Za-z._-]+$/.test(name.toString("latin1"));

/** Reads lengths and what they count; a length that goes too far makes everything after it empty. */
class Reader {
  readonly #bytes: Buffer;
  #at = 0;
  failed = false;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get left(): number {
    return this.failed ? 0 : this.#bytes.length - this.#at;
  }

  take(count: number): Buffer {
    if (count > this.left) {
      this.failed = true;
      return Buffer.alloc(0);
    }
    this.#at += count;
    return this.#bytes.subarray(this.#at - count, this.#at);
  }

  number(size: 1 | 2): number {
    const bytes = this.take(size);
    return this.failed ? 0 : bytes.readUIntBE(0, size);
  }

  nested(size: 1 | 2): Reader {
    const reader = new Reader(this.take(this.number(size)));
    reader.failed = this.failed;
    return reader;
  }
}
