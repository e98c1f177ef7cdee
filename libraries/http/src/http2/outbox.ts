/**
 * Bytes on their way to the transport, gathered into large buffers: one write of 64-256 KiB costs a third to a half of many of
 * 16 KiB. An idle connection holds no buffer.
 */

/** Buffers kept for reuse by one process part; beyond it the garbage collector has them. */
const MAX_SPARE_BATCHES = 16;

/** Shared by all connections of a server or a pool. */
export class BatchBuffers {
  readonly #spare: Uint8Array[] = [];
  readonly #batchBytes: number;

  /** `batchBytes`: the largest single write. */
  constructor(batchBytes: number) {
    this.#batchBytes = batchBytes;
  }

  take(): Uint8Array {
    return this.#spare.pop() ?? Buffer.allocUnsafeSlow(this.#batchBytes);
  }

  give(buffer: Uint8Array): void {
    if (this.#spare.length < MAX_SPARE_BATCHES) this.#spare.push(buffer);
  }
}

/** A filled part of `buffer`, which goes back to {@link BatchBuffers} once it is written. */
export interface Batch {
  readonly buffer: Uint8Array;
  readonly length: number;
}

export class Outbox {
  readonly #buffers: BatchBuffers;
  #full: Batch[] = [];
  #current: Uint8Array | undefined;
  #length = 0;
  /** Bytes appended and not yet given back as written. */
  heldBytes = 0;
  /** Where in its buffer the last {@link claim} begins. */
  place = 0;

  constructor(buffers: BatchBuffers) {
    this.#buffers = buffers;
  }

  append(source: Uint8Array): void {
    let at = 0;
    this.heldBytes += source.length;
    while (at < source.length) {
      const buffer = this.#room();
      const take = Math.min(buffer.length - this.#length, source.length - at);
      buffer.set(at === 0 && take === source.length ? source : source.subarray(at, at + take), this.#length);
      this.#length += take;
      at += take;
    }
  }

  /** A place of `bytes` bytes in one piece, to be filled at once: {@link place} tells where in it. Far less than a batch. */
  claim(bytes: number): Uint8Array {
    if (this.#current !== undefined && this.#length + bytes > this.#current.length) this.#seal();
    const buffer = this.#room();
    this.place = this.#length;
    this.#length += bytes;
    this.heldBytes += bytes;
    return buffer;
  }

  /** The oldest batch, or undefined when there is nothing to write. */
  take(): Batch | undefined {
    let batch = this.#full.shift();
    if (batch === undefined && this.#current !== undefined) {
      batch = { buffer: this.#current, length: this.#length };
      this.#current = undefined;
      this.#length = 0;
    }
    return batch;
  }

  /** The batch is with the kernel. */
  giveBack(batch: Batch): void {
    this.heldBytes -= batch.length;
    this.#buffers.give(batch.buffer);
  }

  /** Throws everything away; the connection is dead. */
  clear(): void {
    for (let batch = this.take(); batch !== undefined; batch = this.take()) this.giveBack(batch);
  }

  #room(): Uint8Array {
    if (this.#current !== undefined && this.#length === this.#current.length) this.#seal();
    if (this.#current === undefined) {
      this.#current = this.#buffers.take();
      this.#length = 0;
    }
    return this.#current;
  }

  #seal(): void {
    if (this.#current === undefined) return;
    this.#full.push({ buffer: this.#current, length: this.#length });
    this.#current = undefined;
  }
}
