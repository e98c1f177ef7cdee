/**
 * Reads DER (ITU-T X.690) as far as X.509 needs it. Input comes from strangers: every length is checked against what is
 * there, only the one canonical form is taken, and nothing is ever read past the end of its parent.
 */

/** X.509 nests about eight levels; deeper input is an attack on the stack, not a certificate. */
const MAX_DEPTH = 16;

export const TAG = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  null: 0x05,
  objectIdentifier: 0x06,
  utf8String: 0x0c,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
} as const;

/** Tag of `[number] EXPLICIT` or of a constructed implicit field. */
export function contextTag(number: number): number {
  return 0xa0 | number;
}

/** Tag of a primitive `[number] IMPLICIT` field. */
export function contextPrimitiveTag(number: number): number {
  return 0x80 | number;
}

/** What a decoder of outside bytes gives: the value, or why there is none. */
export type Decoded<T> =
  | { readonly kind: "ok"; readonly value: T }
  | { readonly kind: "bad"; readonly why: string };

/** Thrown inside a decoder only; {@link decodeDer} turns it into a result. */
export class DerFault extends Error {
  override readonly name = "DerFault";
}

export interface DerElement {
  readonly tag: number;
  /** Views into the input: copy them if the input is reused. */
  readonly content: Uint8Array;
  /** Header and content together, for what is signed or compared as a whole. */
  readonly whole: Uint8Array;
}

/** Runs `read` over the whole of `bytes`: too many bytes, malformed ones and left-over ones are all `bad`. */
export function decodeDer<T>(
  bytes: Uint8Array,
  maxBytes: number,
  read: (reader: DerReader) => T,
): Decoded<T> {
  if (bytes.length > maxBytes)
    return { kind: "bad", why: `${bytes.length} bytes, at most ${maxBytes} expected` };
  try {
    const reader = new DerReader(bytes);
    const value = read(reader);
    reader.end("the structure");
    return { kind: "ok", value };
  } catch (error) {
    if (error instanceof DerFault) return { kind: "bad", why: error.message };
    throw error;
  }
}

export class DerReader {
  readonly #bytes: Uint8Array;
  readonly #depth: number;
  #at = 0;

  constructor(bytes: Uint8Array, depth = 0) {
    if (depth > MAX_DEPTH) throw new DerFault(`nested deeper than ${MAX_DEPTH} levels`);
    this.#bytes = bytes;
    this.#depth = depth;
  }

  get done(): boolean {
    return this.#at >= this.#bytes.length;
  }

  /** The next element must carry `tag`; `what` names it in the fault. */
  read(tag: number, what: string): DerElement {
    const found = this.#bytes[this.#at];
    if (found === undefined) throw new DerFault(`${what}: missing`);
    if (found !== tag) throw new DerFault(`${what}: tag 0x${hex(found)}, expected 0x${hex(tag)}`);
    return this.any(what);
  }

  /** The next element, if it carries `tag`. */
  optional(tag: number, what: string): DerElement | undefined {
    return this.#bytes[this.#at] === tag ? this.any(what) : undefined;
  }

  /** The next element, whatever it is. */
  any(what: string): DerElement {
    const start = this.#at;
    const tag = this.#byte(what);
    if ((tag & 0x1f) === 0x1f) throw new DerFault(`${what}: a tag of several bytes`);
    const length = this.#length(what);
    const begin = this.#at;
    if (length > this.#bytes.length - begin)
      throw new DerFault(`${what}: length ${length}, but ${this.#bytes.length - begin} bytes are left`);
    this.#at = begin + length;
    return {
      tag,
      content: this.#bytes.subarray(begin, this.#at),
      whole: this.#bytes.subarray(start, this.#at),
    };
  }

  /** Reader over the content of the next element, which must carry `tag`. */
  enter(tag: number, what: string): DerReader {
    return this.within(this.read(tag, what));
  }

  /** Reader over an element that this reader gave. */
  within(element: DerElement): DerReader {
    return new DerReader(element.content, this.#depth + 1);
  }

  end(what: string): void {
    if (!this.done) throw new DerFault(`${what}: ${this.#bytes.length - this.#at} bytes too many at its end`);
  }

  #byte(what: string): number {
    const byte = this.#bytes[this.#at];
    if (byte === undefined) throw new DerFault(`${what}: cut short`);
    this.#at++;
    return byte;
  }

  #length(what: string): number {
    const first = this.#byte(what);
    if (first < 0x80) return first;
    const count = first & 0x7f;
    if (count === 0) throw new DerFault(`${what}: indefinite length`);
    if (count > 4) throw new DerFault(`${what}: length of ${count} bytes`);
    let length = 0;
    for (let index = 0; index < count; index++) length = length * 256 + this.#byte(what);
    // DER: the shortest form, or two readers could see two structures in the same bytes.
    if (length < 0x80 || length < 256 ** (count - 1))
      throw new DerFault(`${what}: length not in its shortest form`);
    return length;
  }
}

function hex(byte: number): string {
  return byte.toString(16).padStart(2, "0");
}
