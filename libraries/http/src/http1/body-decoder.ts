/** Takes one body out of the bytes of a connection, in pieces, by its framing. */

import type { HeaderFields } from "../headers.ts";
import { ChunkedDecoder } from "./chunked-decoder.ts";
import type { BodyFraming } from "./framing.ts";
import type { Http1Limits, Refusal } from "./limits.ts";

export class BodyDecoder {
  /** The piece that the last step found: `bytes[dataFrom, dataTo)`; empty when it found none. */
  dataFrom = 0;
  dataTo = 0;
  done: boolean;
  refusal: Refusal | undefined;
  trailers: HeaderFields | undefined;
  /** The end of the connection is the end of the body. */
  readonly endsWithConnection: boolean;
  readonly #chunks: ChunkedDecoder | undefined;
  #left: number;

  constructor(framing: BodyFraming, limits: Http1Limits) {
    this.done = framing.kind === "none";
    this.endsWithConnection = framing.kind === "untilClose" || framing.kind === "tunnel";
    this.#left = framing.kind === "length" ? framing.bytes : Number.POSITIVE_INFINITY;
    this.#chunks = framing.kind === "chunked" ? new ChunkedDecoder(limits) : undefined;
  }

  /** At least so many bytes are still to come. */
  get missingBytes(): number {
    return this.#chunks === undefined ? this.#left : 0;
  }

  /** Goes on at `at`; returns where it stands. Without data, progress, end or refusal it needs more bytes after those. */
  step(bytes: Buffer, at: number, end: number): number {
    if (this.#chunks !== undefined) return this.#stepChunks(this.#chunks, bytes, at, end);
    const taken = Math.min(this.#left, end - at);
    this.dataFrom = at;
    this.dataTo = at + taken;
    this.#left -= taken;
    this.done = this.#left === 0;
    return at + taken;
  }

  #stepChunks(chunks: ChunkedDecoder, bytes: Buffer, at: number, end: number): number {
    const now = chunks.step(bytes, at, end);
    this.dataFrom = chunks.dataFrom;
    this.dataTo = chunks.dataTo;
    this.refusal = chunks.refusal;
    this.trailers = chunks.trailers;
    this.done = chunks.done && this.refusal === undefined;
    return now;
  }
}
