/**
 * HPACK encoding (RFC 7541 §6). No Huffman: within a mesh its time is worth more than a third of a few hundred bytes.
 *
 * The last line of defence against header injection as well, whoever put it there: a block is refused for a name that is no
 * lower-case token, and for a value with a control character, or with a code unit beyond Latin-1, whose low byte could be any of
 * these. Fields of one connection are left out.
 */
import { DynamicTable } from "./dynamic-table.ts";
import { FIRST_PSEUDO_KIND, FieldKind, HeaderEntry, kindOfName } from "./header-entry.ts";
import { NAME_POLICIES, Representation } from "./name-policy.ts";
import { DEFAULT_TABLE_BYTES, STATIC_NAMES, STATIC_TABLE } from "./static-table.ts";

/** Names with a state of their own on one connection; beyond it all are forgotten, which costs only compression. */
const MAX_NAMES = 256;
/** A name whose values do not repeat is no longer indexed after so many in a row. */
const MAX_TRUST = 16;
/** Then every so many fields one is indexed all the same: the values may have become steady. */
const RETRY_EVERY = 64;
const SCRATCH_BYTES = 16 * 1024;
/** Longest prefix, length or index before a string. */
const INTEGER_BYTES = 8;

/** One block is encoded at a time and copied before the next; every connection of the process uses the same memory. */
let scratch: Buffer = Buffer.allocUnsafeSlow(SCRATCH_BYTES);

/** An entry of the dynamic table, as its name knows it. */
interface KnownValue {
  readonly value: string;
  /** Entries that came in before it. */
  readonly number: number;
  older: KnownValue | undefined;
}

class NameState {
  readonly staticIndex: number;
  readonly representation: Representation;
  newest: KnownValue | undefined;
  trust = MAX_TRUST;
  untrusted = 0;

  constructor(name: string) {
    this.staticIndex = STATIC_NAMES.get(name) ?? 0;
    this.representation = representationOf(name);
  }
}

/** Keeps the table of one direction of one connection. Blocks must be sent in the order they were encoded. */
export class HpackEncoder {
  readonly #table = new DynamicTable(DEFAULT_TABLE_BYTES);
  readonly #names = new Map<string, NameState>();
  /** Smallest size since the last block, when the peer changed its limit (RFC 7541 §4.2). */
  #announceBytes: number | undefined;
  #out: Buffer = scratch;
  #at = 0;
  /** All of the block so far may be sent. */
  #sound = true;

  /** The peer's SETTINGS_HEADER_TABLE_SIZE. We never use more than the default. */
  limitTable(peerLimitBytes: number): void {
    const limitBytes = Math.min(peerLimitBytes, DEFAULT_TABLE_BYTES);
    if (limitBytes === this.#table.limitBytes) return;
    this.#announceBytes = Math.min(limitBytes, this.#announceBytes ?? limitBytes);
    this.#table.resize(limitBytes);
  }

  /** Begins a block; fields follow, then {@link finish}. */
  begin(): void {
    this.#out = scratch;
    this.#at = 0;
    if (this.#announceBytes === undefined) return;
    this.#integer(this.#announceBytes, 0x20, 5);
    if (this.#announceBytes !== this.#table.limitBytes) this.#integer(this.#table.limitBytes, 0x20, 5);
    this.#announceBytes = undefined;
  }

  /** All fields of a flat list (name, value, name, value); pseudo headers in it are left out. */
  fields(flat: readonly string[]): void {
    for (let at = 0; at + 1 < flat.length; at += 2) {
      const name = flat[at] as string;
      if (name.charCodeAt(0) !== COLON) this.field(name, flat[at + 1] as string);
    }
  }

  field(name: string, value: string): void {
    const state = this.#names.get(name) ?? this.#learn(name);
    const { representation } = state;
    if (representation >= Representation.dropped) {
      if (representation === Representation.refused) this.#sound = false;
      return;
    }
    if (representation !== Representation.never) {
      const index = staticIndex(state.staticIndex, name, value) || this.#knownIndex(state, value);
      if (index > 0) {
        this.#reserve(INTEGER_BYTES);
        this.#integer(index, 0x80, 7);
        return;
      }
    }
    if (name === "te" && value !== "trailers") return;
    this.#reserve(name.length + value.length + 3 * INTEGER_BYTES);
    const indexed = representation === Representation.indexed && this.#mayIndex(state, name, value);
    if (indexed) this.#integer(state.staticIndex, 0x40, 6);
    else this.#integer(state.staticIndex, representation === Representation.never ? 0x10 : 0x00, 4);
    if (state.staticIndex === 0) this.#string(name);
    this.#string(value);
    if (indexed) this.#insert(state, name, value);
  }

  /** The block, valid until anything else is encoded; undefined when a field of it must not be written. */
  finish(): Uint8Array | undefined {
    const block = this.#out.subarray(0, this.#at);
    this.#out = scratch;
    if (this.#sound) return block;
    this.#forgetTable();
    return undefined;
  }

  /** The peer never sees what the refused block put into the table: the next block empties it on both sides (RFC 7541 §4.2). */
  #forgetTable(): void {
    const { limitBytes } = this.#table;
    this.#table.resize(0);
    this.#table.resize(limitBytes);
    this.#announceBytes = 0;
    this.#sound = true;
  }

  #learn(name: string): NameState {
    if (this.#names.size >= MAX_NAMES) this.#names.clear();
    const state = new NameState(name);
    this.#names.set(name, state);
    return state;
  }

  /** HPACK index of a value that is in the dynamic table; 0 otherwise. */
  #knownIndex(state: NameState, value: string): number {
    const { inserted, evicted } = this.#table;
    let younger: KnownValue | undefined;
    for (let known = state.newest; known !== undefined; known = known.older) {
      if (known.number < evicted) {
        // Older ones are gone too.
        if (younger === undefined) state.newest = undefined;
        else younger.older = undefined;
        return 0;
      }
      if (known.value === value) {
        if (state.trust < MAX_TRUST) state.trust++;
        return STATIC_TABLE.length + inserted - known.number;
      }
      younger = known;
    }
    return 0;
  }

  /** Half of the table at most, so that one long value cannot push out everything else; and no name whose values keep changing. */
  #mayIndex(state: NameState, name: string, value: string): boolean {
    if (2 * (name.length + value.length + 32) > this.#table.limitBytes) return false;
    if (state.trust > 0) {
      state.trust--;
      return true;
    }
    state.untrusted = (state.untrusted + 1) % RETRY_EVERY;
    return state.untrusted === 0;
  }

  #insert(state: NameState, name: string, value: string): void {
    state.newest = { value, number: this.#table.inserted, older: state.newest };
    this.#table.insert(new HeaderEntry(name, value, FieldKind.regular));
  }

  #reserve(bytes: number): void {
    if (this.#at + bytes <= this.#out.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(2 * this.#out.length, this.#at + bytes));
    larger.set(this.#out.subarray(0, this.#at));
    // The shared memory grows to four times its first size at most, and by one connection for all.
    if (larger.length <= 4 * SCRATCH_BYTES) scratch = larger;
    this.#out = larger;
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
    const { length } = text;
    this.#integer(length, 0, 7);
    const out = this.#out;
    const start = this.#at;
    this.#at = start + length;
    if (length > NATIVE_COPY_FROM) {
      out.write(text, start, "latin1");
      if (BEYOND_LATIN1.test(text)) this.#sound = false;
      for (let at = start; at < this.#at; at++) if (isControl(out[at] as number)) this.#sound = false;
      return;
    }
    for (let at = 0; at < length; at++) {
      const code = text.charCodeAt(at);
      if (isControl(code) || code > 0xff) this.#sound = false;
      out[start + at] = code;
    }
  }
}

const COLON = 0x3a;
const BEYOND_LATIN1 = /[\u0100-\uffff]/;

const isControl = (code: number): boolean => (code < 0x20 && code !== 0x09) || code === 0x7f;
/** Below, a loop is faster than the call into native code. */
const NATIVE_COPY_FROM = 32;

function representationOf(name: string): Representation {
  const kind = kindOfName(name);
  if (kind === FieldKind.malformed) return Representation.refused;
  if (kind === FieldKind.connection || kind === FieldKind.host) return Representation.dropped;
  if (kind >= FIRST_PSEUDO_KIND && name !== ":path") return Representation.indexed;
  return NAME_POLICIES.get(name) ?? Representation.indexed;
}

/** Static entries of one name are neighbours, beginning at `nameIndex`. */
function staticIndex(nameIndex: number, name: string, value: string): number {
  if (nameIndex === 0) return 0;
  for (let index = nameIndex; ; index++) {
    const entry = STATIC_TABLE[index - 1];
    if (entry === undefined || entry.name !== name) return 0;
    if (entry.value === value) return index;
  }
}
