/** Messages over TCP: two bytes of length before each (RFC 1035 §4.2.2). No IO here. */

export type Frames =
  | { readonly kind: "ok"; readonly messages: readonly Uint8Array[] }
  /** The stream cannot be read on. */
  | { readonly kind: "bad"; readonly why: string };

/** Cuts a stream into messages; the tail is kept for the next call. Messages own their bytes. */
export class FrameReader {
  #tail: Buffer = Buffer.alloc(0);

  push(chunk: Uint8Array): Frames {
    // At most one message of 64 KiB waits for its rest, so the tail is bounded by that.
    let rest = Buffer.concat([this.#tail, chunk]);
    const messages: Uint8Array[] = [];
    while (rest.length >= 2) {
      const length = rest.readUInt16BE(0);
      if (length === 0) return { kind: "bad", why: "message of no bytes" };
      if (rest.length < 2 + length) break;
      messages.push(rest.subarray(2, 2 + length));
      rest = rest.subarray(2 + length);
    }
    this.#tail = Buffer.from(rest);
    return { kind: "ok", messages };
  }
}

export function frame(message: Uint8Array): Uint8Array {
  const framed = Buffer.alloc(2 + message.length);
  framed.writeUInt16BE(message.length, 0);
  framed.set(message, 2);
  return framed;
}
