/** HPACK decoding (RFC 7541 §6): all representations, Huffman, and a bounded dynamic table. */
import type { HeaderField } from "../headers.ts";
import { DynamicTable } from "./dynamic-table.ts";
import { decodeHuffman } from "./huffman.ts";
import { fieldBytes } from "./static-table.ts";

export type HeaderBlock =
  /** `oversized`: the list exceeded the limit, so `fields` holds only its beginning; the table is right all the same. */
  | { readonly kind: "ok"; readonly fields: readonly HeaderField[]; readonly oversized: boolean }
  /** The table is out of step with the peer: a connection error, COMPRESSION_ERROR. */
  | { readonly kind: "bad"; readonly why: string };

/** No length or index in a block of at most 1 MiB needs more than 28 bits. */
const MAX_INTEGER_SHIFT = 21;

/** Keeps the table of one direction of one connection. Blocks must come in the order of the wire. */
export class HpackDecoder {
  readonly #table: DynamicTable;
  readonly #tableLimitBytes: number;
  #block: Uint8Array = new Uint8Array(0);
  #at = 0;
  #why = "";

  constructor(tableLimitBytes: number) {
    this.#tableLimitBytes = tableLimitBytes;
    this.#table = new DynamicTable(tableLimitBytes);
  }

  decode(block: Uint8Array, listLimitBytes: number): HeaderBlock {
    this.#block = block;
    this.#at = 0;
    this.#why = "";
    const fields: HeaderField[] = [];
    let listBytes = 0;
    while (this.#at < block.length) {
      const first = block[this.#at] ?? 0;
      if ((first & 0xe0) === 0x20) {
        if (fields.length > 0 || listBytes > 0)
          return { kind: "bad", why: "table size update after a field" };
        if (!this.#resize()) return { kind: "bad", why: this.#why };
        continue;
      }
      const field = this.#field(first);
      if (field === undefined) return { kind: "bad", why: this.#why };
      listBytes += fieldBytes(field);
      // Decoding goes on beyond the limit, for the sake of the table; keeping does not.
      if (listBytes <= listLimitBytes) fields.push(field);
    }
    return { kind: "ok", fields, oversized: listBytes > listLimitBytes };
  }

  #field(first: number): HeaderField | undefined {
    if (first >= 0x80) return this.#entry(this.#integer(7));
    const indexed = first >= 0x40;
    const nameIndex = this.#integer(indexed ? 6 : 4);
    if (nameIndex < 0) return undefined;
    const name = nameIndex === 0 ? this.#string() : this.#entry(nameIndex)?.[0];
    if (name === undefined) return undefined;
    const value = this.#string();
    if (value === undefined) return undefined;
    const field: HeaderField = [name, value];
    if (indexed) this.#table.insert(field);
    return field;
  }

  #entry(index: number): HeaderField | undefined {
    if (index < 0) return undefined;
    const field = this.#table.entry(index);
    if (field === undefined) this.#why = `no table entry ${index}`;
    return field;
  }

  #resize(): boolean {
    const limitBytes = this.#integer(5);
    if (limitBytes < 0) return false;
    if (limitBytes > this.#tableLimitBytes) {
      this.#why = `table size ${limitBytes} exceeds the permitted ${this.#tableLimitBytes}`;
      return false;
    }
    this.#table.resize(limitBytes);
    return true;
  }

  /** RFC 7541 §5.1; -1 when it is cut short or too large. */
  #integer(prefixBits: number): number {
    const mask = (1 << prefixBits) - 1;
    let value = (this.#block[this.#at++] ?? 0) & mask;
    if (value < mask) return value;
    for (let shift = 0; shift <= MAX_INTEGER_SHIFT; shift += 7) {
      const byte = this.#block[this.#at++];
      if (byte === undefined) break;
      value += (byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    this.#why = "integer cut short or too large";
    return -1;
  }

  /** RFC 7541 §5.2. */
  #string(): string | undefined {
    const first = this.#block[this.#at];
    if (first === undefined) {
      this.#why = "string cut short";
      return undefined;
    }
    const length = this.#integer(7);
    if (length < 0) return undefined;
    const start = this.#at;
    const end = start + length;
    if (end > this.#block.length) {
      this.#why = "string cut short";
      return undefined;
    }
    this.#at = end;
    if (first < 0x80) return latin1(this.#block, start, end);
    const text = decodeHuffman(this.#block, start, end);
    if (text === undefined) this.#why = "bad Huffman padding or EOS in a string";
    return text;
  }
}

function latin1(bytes: Uint8Array, start: number, end: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString("latin1");
}
