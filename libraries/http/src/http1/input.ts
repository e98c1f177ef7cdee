/** What a connection received and has not used yet. Lent bytes are used in place and copied only when some are left over. */

const NOTHING = Buffer.alloc(0);

export class Input {
  /** `bytes[start, end)` waits. */
  bytes: Buffer = NOTHING;
  start = 0;
  end = 0;
  /** What is handed on is a view that will not last. */
  lent = false;
  /** `bytes` is ours and may be written after `end`. */
  #growable = false;

  get length(): number {
    return this.end - this.start;
  }

  add(chunk: Uint8Array, lent: boolean): void {
    if (this.start < this.end) {
      this.#append(chunk);
      return;
    }
    this.bytes =
      chunk instanceof Buffer ? chunk : Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    this.start = 0;
    this.end = chunk.length;
    this.lent = lent;
    this.#growable = false;
  }

  /** To be called before the call that lent the bytes returns. */
  settle(): void {
    if (this.start === this.end) {
      this.bytes = NOTHING;
      this.start = this.end = 0;
      this.#growable = false;
    } else if (this.lent && !this.#growable) this.#move(this.length);
  }

  #append(chunk: Uint8Array): void {
    const needed = this.length + chunk.length;
    // A head that comes byte by byte is copied a few times, not once for each byte.
    if (!this.#growable || this.end + chunk.length > this.bytes.length) this.#move(2 * needed);
    this.bytes.set(chunk, this.end);
    this.end += chunk.length;
  }

  #move(capacity: number): void {
    const bytes = Buffer.allocUnsafeSlow(capacity);
    bytes.set(this.bytes.subarray(this.start, this.end), 0);
    this.end -= this.start;
    this.start = 0;
    this.bytes = bytes;
    this.lent = true;
    this.#growable = true;
  }

  clear(): void {
    this.start = this.end;
    this.settle();
  }
}
