/**
 * HPACK encoding (RFC 7541 §6). No Huffman: the few header bytes of a tunnel are not worth the time.
 * Fields that repeat on a connection (authority, baggage) go into the dynamic table, so a usual CONNECT is a few dozen bytes.
 */
import type { HeaderField, HeaderFields } from "../headers.ts";
import { DynamicTable } from "./dynamic-table.ts";
import { DEFAULT_TABLE_BYTES, fieldBytes, STATIC_TABLE } from "./static-table.ts";

/** Never the same twice, so an entry would only push out useful ones. */
const UNIQUE_NAMES: ReadonlySet<string> = new Set(["forwarded", "traceparent"]);

/** HPACK index of the first static entry of each name. */
const STATIC_NAMES: ReadonlyMap<string, number> = new Map(
  [...STATIC_TABLE.entries()].reverse().map(([position, field]) => [field[0], position + 1]),
);

/** Keeps the table of one direction of one connection. Blocks must be sent in the order they were encoded. */
export class HpackEncoder {
  readonly #table = new DynamicTable(DEFAULT_TABLE_BYTES);
  /** Smallest size since the last block, when the peer changed its limit (RFC 7541 §4.2). */
  #announceBytes: number | undefined;
  #out: Buffer = Buffer.alloc(0);
  #at = 0;

  /** The peer's SETTINGS_HEADER_TABLE_SIZE. We never use more than the default. */
  limitTable(peerLimitBytes: number): void {
    const limitBytes = Math.min(peerLimitBytes, DEFAULT_TABLE_BYTES);
    if (limitBytes === this.#table.limitBytes) return;
    this.#announceBytes = Math.min(limitBytes, this.#announceBytes ?? limitBytes);
    this.#table.resize(limitBytes);
  }

  encode(fields: HeaderFields): Uint8Array {
    let worstBytes = 16;
    for (const field of fields) worstBytes += fieldBytes(field);
    this.#out = Buffer.allocUnsafe(worstBytes);
    this.#at = 0;
    if (this.#announceBytes !== undefined) {
      this.#integer(this.#announceBytes, 0x20, 5);
      if (this.#announceBytes !== this.#table.limitBytes) this.#integer(this.#table.limitBytes, 0x20, 5);
      this.#announceBytes = undefined;
    }
    for (const field of fields) this.#field(field);
    return this.#out.subarray(0, this.#at);
  }

  #field(field: HeaderField): void {
    const [name, value] = field;
    const nameIndex = STATIC_NAMES.get(name) ?? 0;
    const index = staticIndex(nameIndex, name, value) || this.#table.indexOf(name, value);
    if (index > 0) {
      this.#integer(index, 0x80, 7);
      return;
    }
    // Half of the table at most, so that one long value cannot push out everything else.
    const indexed = !UNIQUE_NAMES.has(name) && 2 * fieldBytes(field) <= this.#table.limitBytes;
    this.#integer(nameIndex, indexed ? 0x40 : 0x00, indexed ? 6 : 4);
    if (nameIndex === 0) this.#string(name);
    this.#string(value);
    if (indexed) this.#table.insert(field);
  }

  #integer(value: number, pattern: number, prefixBits: number): void {
    const mask = (1 << prefixBits) - 1;
    if (value < mask) {
      this.#out[this.#at++] = pattern | value;
      return;
    }
    this.#out[this.#at++] = pattern | mask;
    let rest = value - mask;
    for (; rest >= 0x80; rest >>>= 7) this.#out[this.#at++] = (rest & 0x7f) | 0x80;
    this.#out[this.#at++] = rest;
  }

  #string(text: string): void {
    this.#integer(text.length, 0, 7);
    this.#at += this.#out.write(text, this.#at, "latin1");
  }
}

/** Static entries of one name are neighbours, beginning at `nameIndex`. */
function staticIndex(nameIndex: number, name: string, value: string): number {
  if (nameIndex === 0) return 0;
  for (let index = nameIndex; STATIC_TABLE[index - 1]?.[0] === name; index++) {
    if (STATIC_TABLE[index - 1]?.[1] === value) return index;
  }
  return 0;
}
