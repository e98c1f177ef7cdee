/** Writes one body with its framing, and sees to it that the framing stays true. */

import type { HeaderFields } from "../headers.ts";
import type { BodyFraming } from "./framing.ts";
import { trailerText } from "./head-text.ts";
import type { Output } from "./output.ts";

export class BodyEncoder {
  readonly #framing: BodyFraming;
  readonly #output: Output;
  #left: number;

  constructor(framing: BodyFraming, output: Output) {
    this.#framing = framing;
    this.#output = output;
    this.#left = framing.kind === "length" ? framing.bytes : 0;
  }

  /** What is wrong with the bytes, if anything is; they are then not written. A body where none may be (HEAD, 304) is dropped. */
  write(chunk: Uint8Array, lent: boolean): string | undefined {
    if (chunk.length === 0) return undefined;
    switch (this.#framing.kind) {
      case "none":
        return undefined;
      case "length":
        if (chunk.length > this.#left) return "body: longer than its content-length";
        this.#left -= chunk.length;
        this.#output.write(chunk, lent);
        return undefined;
      case "chunked":
        this.#output.text(`${chunk.length.toString(16)}\r\n`);
        this.#output.write(chunk, lent);
        this.#output.text("\r\n");
        return undefined;
      case "untilClose":
      case "tunnel":
        this.#output.write(chunk, lent);
        return undefined;
    }
  }

  /** What is wrong with the end, if anything is. Trailers can be sent with chunks only and are else dropped. */
  end(trailers: HeaderFields | undefined): string | undefined {
    if (this.#left > 0) return "body: shorter than its content-length";
    if (this.#framing.kind !== "chunked") return undefined;
    if (trailers === undefined || trailers.count === 0) {
      this.#output.text("0\r\n\r\n");
      return undefined;
    }
    const text = trailerText(trailers);
    if (text.kind === "bad") return text.why;
    this.#output.text("0\r\n");
    return this.#output.head(text.text, text.lines, false)
      ? undefined
      : "trailers: expected no control character";
  }
}
