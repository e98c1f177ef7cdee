/** HPACK decoding (RFC 7541 §6): all representations, Huffman, and a bounded dynamic table. */
import { DynamicTable } from "./dynamic-table.ts";
import { FieldKind, HeaderEntry, isProperValue, kindOfName } from "./header-entry.ts";
import { decodeHuffman, longestText } from "./huffman.ts";
import { STATIC_TABLE } from "./static-table.ts";

/** What a header list may be (SETTINGS_MAX_HEADER_LIST_SIZE, and Envoy's bound on the number of fields). */
export interface HeaderListLimits {
  /** Names, values and 32 bytes for each field. */
  readonly maxHeaderListBytes: number;
  readonly maxHeaderFields: number;
}

/** No length or index in a block of at most 1 MiB needs more than 28 bits. */
const MAX_INTEGER_SHIFT = 21;
/** Scratch memory that stays; a longer string gets memory of its own. */
const SCRATCH_BYTES = 16 * 1024;

/** One string is decoded at a time, in one call. */
const SCRATCH: Uint8Array = Buffer.allocUnsafeSlow(SCRATCH_BYTES);

/** Text of a part of any byte array; what `Buffer#toString("latin1")` comes down to, without making a Buffer of a view. */
const latin1Slice = (
  Buffer.prototype as unknown as { latin1Slice(this: Uint8Array, start: number, end: number): string }
).latin1Slice;

/** Keeps the table of one direction of one connection. Blocks must come in the order of the wire. */
export class HpackDecoder {
  readonly #table: DynamicTable;
  readonly #tableLimitBytes: number;
  readonly #limits: HeaderListLimits;
  #block: Uint8Array = NOTHING;
  /** All of the block as text, of which raw literals are slices; made for the first of them. */
  #text: string | undefined;
  #at = 0;
  #why = "";
  /** Whether the value that was read last is proper. */
  #proper = true;
  /** What the last block said; the owner empties it after use. */
  readonly fields: HeaderEntry[] = [];
  /** The last list exceeded a limit, so {@link fields} holds only its beginning; the table is right all the same. */
  oversized = false;

  constructor(tableLimitBytes: number, limits: HeaderListLimits) {
    this.#tableLimitBytes = tableLimitBytes;
    this.#table = new DynamicTable(tableLimitBytes);
    this.#limits = limits;
  }

  /** Undefined, or why the table is now out of step with the peer: a connection error, COMPRESSION_ERROR. */
  decode(block: Uint8Array): string | undefined {
    this.#block = block;
    this.#text = undefined;
    this.#at = 0;
    const { fields } = this;
    fields.length = 0;
    let listBytes = 0;
    let count = 0;
    while (this.#at < block.length) {
      const first = block[this.#at] ?? 0;
      if ((first & 0xe0) === 0x20) {
        if (count > 0) return "table size update after a field";
        if (!this.#resize()) return this.#why;
        continue;
      }
      const field = this.#field(first);
      if (field === undefined) return this.#why;
      listBytes += field.bytes;
      count++;
      // Decoding goes on beyond the limit, for the sake of the table; keeping does not.
      if (listBytes <= this.#limits.maxHeaderListBytes && count <= this.#limits.maxHeaderFields)
        fields.push(field);
    }
    this.oversized = fields.length < count;
    this.#block = NOTHING;
    return undefined;
  }

  #field(first: number): HeaderEntry | undefined {
    if (first >= 0x80) return this.#entry(this.#integer(7));
    const indexed = first >= 0x40;
    const nameIndex = this.#integer(indexed ? 6 : 4);
    if (nameIndex < 0) return undefined;
    let name: string | undefined;
    let kind: FieldKind = FieldKind.regular;
    if (nameIndex === 0) {
      name = this.#string(indexed);
      if (name !== undefined) kind = kindOfName(name);
    } else {
      const named = this.#entry(nameIndex);
      name = named?.name;
      // The entry may be malformed for its value alone.
      if (named !== undefined)
        kind = named.kind === FieldKind.malformed ? kindOfName(named.name) : named.kind;
    }
    if (name === undefined) return undefined;
    const value = this.#string(indexed);
    if (value === undefined) return undefined;
    const field = new HeaderEntry(name, value, this.#proper ? kind : FieldKind.malformed);
    if (indexed) this.#table.insert(field);
    return field;
  }

  #entry(index: number): HeaderEntry | undefined {
    if (index < 0) return undefined;
    const field =
      index <= STATIC_TABLE.length ? STATIC_TABLE[index - 1] : this.#table.entry(index - STATIC_TABLE.length);
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

  /** RFC 7541 §5.2. `kept`: the text goes into the table, where a slice would keep the whole block alive. */
  #string(kept: boolean): string | undefined {
    const block = this.#block;
    const first = block[this.#at];
    const length = first === undefined ? -1 : this.#integer(7);
    const start = this.#at;
    const end = start + length;
    if (first === undefined || length < 0 || end > block.length) {
      this.#why = "string cut short";
      return undefined;
    }
    this.#at = end;
    if (first >= 0x80) return this.#huffman(start, end);
    this.#proper = isProperValue(block, start, end);
    if (kept) return latin1Slice.call(block, start, end);
    this.#text ??= latin1Slice.call(block, 0, block.length);
    return this.#text.slice(start, end);
  }

  #huffman(start: number, end: number): string | undefined {
    const needed = longestText(end - start);
    const out = needed <= SCRATCH_BYTES ? SCRATCH : Buffer.allocUnsafeSlow(needed);
    const length = decodeHuffman(this.#block, start, end, out);
    if (length < 0) {
      this.#why = "bad Huffman padding or EOS in a string";
      return undefined;
    }
    this.#proper = isProperValue(out, 0, length);
    return latin1Slice.call(out, 0, length);
  }
}

const NOTHING = new Uint8Array(0);
