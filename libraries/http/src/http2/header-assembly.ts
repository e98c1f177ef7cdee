/** Puts HEADERS and its CONTINUATION frames together (RFC 9113 §6.2, §6.10), within bounds. */
import { type ConnectionError, connectionError, ErrorCode, Flag } from "./constants.ts";

/** A block of the permitted size needs five frames of the default size. */
const MAX_CONTINUATIONS = 32;

export type Assembled =
  | { readonly kind: "more" }
  | {
      readonly kind: "block";
      readonly streamId: number;
      readonly block: Uint8Array;
      readonly endStream: boolean;
    }
  | { readonly kind: "bad"; readonly error: ConnectionError };

export class HeaderAssembly {
  readonly #maxBlockBytes: number;
  #streamId = 0;
  #endStream = false;
  #fragments: Uint8Array[] = [];
  #bytes = 0;

  constructor(maxBlockBytes: number) {
    this.#maxBlockBytes = maxBlockBytes;
  }

  /** The stream whose block is unfinished, 0 when there is none. Only its CONTINUATION may come then. */
  get openStreamId(): number {
    return this.#streamId;
  }

  headers(streamId: number, flags: number, payload: Uint8Array): Assembled {
    let start = 0;
    let end = payload.length;
    if ((flags & Flag.padded) !== 0) {
      end -= payload[0] ?? 0;
      start = 1;
    }
    if ((flags & Flag.priority) !== 0) start += 5;
    if (start > payload.length) return bad(ErrorCode.frameSizeError, "HEADERS too short for its flags");
    if (start > end) return bad(ErrorCode.protocolError, "HEADERS padding exceeds the frame");
    this.#endStream = (flags & Flag.endStream) !== 0;
    return this.#fragment(streamId, flags, payload.subarray(start, end));
  }

  continuation(streamId: number, flags: number, payload: Uint8Array): Assembled {
    if (streamId === 0 || streamId !== this.#streamId)
      return bad(ErrorCode.protocolError, "CONTINUATION without HEADERS before it");
    return this.#fragment(streamId, flags, payload);
  }

  #fragment(streamId: number, flags: number, fragment: Uint8Array): Assembled {
    this.#bytes += fragment.length;
    if (this.#bytes > this.#maxBlockBytes || this.#fragments.length > MAX_CONTINUATIONS)
      return bad(
        ErrorCode.enhanceYourCalm,
        `header block of more than ${this.#maxBlockBytes} bytes or ${MAX_CONTINUATIONS} frames`,
      );
    if ((flags & Flag.endHeaders) === 0) {
      this.#streamId = streamId;
      // The view ends with the call, so an unfinished fragment is copied.
      this.#fragments.push(Buffer.from(fragment));
      return { kind: "more" };
    }
    const block = this.#fragments.length === 0 ? fragment : Buffer.concat([...this.#fragments, fragment]);
    this.#streamId = 0;
    this.#fragments = [];
    this.#bytes = 0;
    return { kind: "block", streamId, block, endStream: this.#endStream };
  }
}

function bad(code: number, reason: string): Assembled {
  return { kind: "bad", error: connectionError(code, reason) };
}
