/** First in, first out bytes; small pieces are merged so that a peer's one-byte frames cost about their own size. */

/** Smaller pieces are copied: a view would keep the whole 16 KiB TLS record alive. */
const COPY_BELOW_BYTES = 8192;
const BLOCK_BYTES = 16 * 1024;

export class ByteQueue {
  #pieces: Uint8Array[] = [];
  /** Last piece, when it is a block of ours with room behind it. */
  #block: Uint8Array | undefined;
  #blockLength = 0;
  bytes = 0;

  /** With `lent` the bytes are copied always. */
  push(chunk: Uint8Array, lent: boolean): void {
    this.bytes += chunk.length;
    if (chunk.length < COPY_BELOW_BYTES) {
      this.#append(chunk);
      return;
    }
    this.#sealBlock();
    // Not `slice`, which gives a view when the chunk is a Buffer.
    this.#pieces.push(lent ? Buffer.from(chunk) : chunk);
  }

  /** The oldest bytes, `limit` at most; undefined when empty. */
  shift(limit: number): Uint8Array | undefined {
    if (this.#pieces.length === 0) this.#sealBlock();
    const first = this.#pieces[0];
    if (first === undefined) return undefined;
    if (first.length <= limit) {
      this.#pieces.shift();
      this.bytes -= first.length;
      return first;
    }
    this.#pieces[0] = first.subarray(limit);
    this.bytes -= limit;
    return first.subarray(0, limit);
  }

  #append(chunk: Uint8Array): void {
    if (this.#block !== undefined && this.#blockLength + chunk.length > BLOCK_BYTES) this.#sealBlock();
    this.#block ??= Buffer.allocUnsafeSlow(BLOCK_BYTES);
    this.#block.set(chunk, this.#blockLength);
    this.#blockLength += chunk.length;
  }

  #sealBlock(): void {
    if (this.#block === undefined) return;
    this.#pieces.push(this.#block.subarray(0, this.#blockLength));
    this.#block = undefined;
    this.#blockLength = 0;
  }
}
