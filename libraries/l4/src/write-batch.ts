/** Lent pieces on their way to a socket, copied together: one system call for the four pieces of a full TLS read. */

const BATCH_BYTES = 64 * 1024;
/** Buffers kept for reuse by the process; beyond it the garbage collector has them. */
const MAX_SPARE = 16;

const spare: Buffer[] = [];

export class WriteBatch {
  readonly #buffer: Buffer = spare.pop() ?? Buffer.allocUnsafeSlow(BATCH_BYTES);
  length = 0;

  /** Copies what fits and returns how much that was. */
  append(chunk: Uint8Array): number {
    const take = Math.min(chunk.length, BATCH_BYTES - this.length);
    this.#buffer.set(take === chunk.length ? chunk : chunk.subarray(0, take), this.length);
    this.length += take;
    return take;
  }

  get full(): boolean {
    return this.length === BATCH_BYTES;
  }

  get bytes(): Uint8Array {
    return this.#buffer.subarray(0, this.length);
  }

  /** The kernel has the bytes, or nobody wants them. */
  release(): void {
    if (spare.length < MAX_SPARE) spare.push(this.#buffer);
  }
}
