/** The chunked coding (RFC 9112 §7.1), one piece of data per step. */

import { HeaderFields } from "../headers.ts";
import { CR, EXTENSION, HEX, LF, SEMICOLON } from "./characters.ts";
import { FieldSection, headBytes } from "./field-section.ts";
import { BARE_LF, HeadEnd } from "./head-end.ts";
import { type Http1Limits, type Refusal, refuse } from "./limits.ts";

/** 2^48 - 1: more than any chunk, exact as a number. Leading zeros count, so that a size is never long. */
const MAX_SIZE_DIGITS = 12;

type State = "size" | "extension" | "size-lf" | "data" | "data-cr" | "data-lf" | "trailers" | "done";

export class ChunkedDecoder {
  /** The piece that the last step found: `bytes[dataFrom, dataTo)`. */
  dataFrom = 0;
  dataTo = 0;
  refusal: Refusal | undefined;
  trailers: HeaderFields | undefined;
  #state: State = "size";
  #size = 0;
  #digits = 0;
  #extensionBytes = 0;
  readonly #limits: Http1Limits;
  readonly #trailerEnd = new HeadEnd();

  constructor(limits: Http1Limits) {
    this.#limits = limits;
  }

  get done(): boolean {
    return this.#state === "done";
  }

  /** Goes on at `at`, to the end of a piece of data, of the body, or of the bytes; returns where it stands. */
  step(bytes: Buffer, at: number, end: number): number {
    this.dataFrom = this.dataTo = at;
    while (at < end && this.refusal === undefined) {
      switch (this.#state) {
        case "size":
          at = this.#readSize(bytes, at, end);
          break;
        case "extension":
          at = this.#readExtension(bytes, at, end);
          break;
        case "size-lf":
          at = this.#expect(bytes, at, LF, this.#size === 0 ? "trailers" : "data");
          break;
        case "data":
          return this.#takeData(at, end);
        case "data-cr":
          at = this.#expect(bytes, at, CR, "data-lf");
          break;
        case "data-lf":
          at = this.#expect(bytes, at, LF, "size");
          break;
        case "trailers":
          return this.#readTrailers(bytes, at, end);
        case "done":
          return at;
      }
    }
    return at;
  }

  #readSize(bytes: Buffer, at: number, end: number): number {
    for (; at < end; at++) {
      const byte = bytes[at] as number;
      const digit = HEX[byte] as number;
      if (digit === 255) return this.#endSize(byte, at + 1);
      if (++this.#digits > MAX_SIZE_DIGITS)
        return this.#refuse(`chunk size: expected at most ${MAX_SIZE_DIGITS} digits`, at);
      this.#size = this.#size * 16 + digit;
    }
    return at;
  }

  #endSize(byte: number, at: number): number {
    if (this.#digits === 0 || (byte !== CR && byte !== SEMICOLON))
      return this.#refuse(
        `chunk size: expected hexadecimal digits, then CRLF or a semicolon, got byte ${byte}`,
        at,
      );
    this.#digits = 0;
    this.#state = byte === CR ? "size-lf" : "extension";
    return at;
  }

  #readExtension(bytes: Buffer, at: number, end: number): number {
    const from = at;
    while (at < end && EXTENSION[bytes[at] as number] === 1) at++;
    this.#extensionBytes += at - from;
    if (this.#extensionBytes > this.#limits.maxChunkExtensionBytes)
      return this.#refuse(
        `chunk extensions: expected at most ${this.#limits.maxChunkExtensionBytes} bytes`,
        at,
      );
    return at < end ? this.#expect(bytes, at, CR, "size-lf") : at;
  }

  #takeData(at: number, end: number): number {
    const taken = Math.min(this.#size, end - at);
    this.dataFrom = at;
    this.dataTo = at + taken;
    this.#size -= taken;
    if (this.#size === 0) this.#state = "data-cr";
    return at + taken;
  }

  /** Trailers wait in the caller's buffer until they are whole. */
  #readTrailers(bytes: Buffer, at: number, end: number): number {
    const length = this.#trailerEnd.find(bytes, at, end);
    if (length === BARE_LF) return this.#refuse("trailers: expected CRLF at the end of each line", at);
    if ((length === 0 ? end - at : length) > this.#limits.maxTrailerBytes)
      return this.#refuse(`trailers: expected at most ${this.#limits.maxTrailerBytes} bytes`, at, 431);
    if (length === 0) return at;
    this.#state = "done";
    if (length > 2) this.#parseTrailers(bytes, at, at + length);
    return at + length;
  }

  #parseTrailers(bytes: Buffer, from: number, to: number): void {
    const fields = new FieldSection();
    this.refusal = fields.read(headBytes(bytes, from, to), from, this.#limits.maxFields);
    if (this.refusal !== undefined) return;
    if (fields.host !== undefined || fields.contentLength >= 0 || fields.chunked)
      this.refusal = refuse("trailers: expected no field that frames or routes a message");
    else this.trailers = new HeaderFields(fields.flat);
  }

  #expect(bytes: Buffer, at: number, wanted: number, next: State): number {
    if (bytes[at] !== wanted)
      return this.#refuse(`chunk: expected byte ${wanted}, got byte ${String(bytes[at])}`, at);
    this.#state = next;
    return at + 1;
  }

  #refuse(why: string, at: number, status: Refusal["status"] = 400): number {
    this.refusal = refuse(why, status);
    return at;
  }
}
