/** The request body as far as it has passed, for another try or for mirrors: copied once, bounded per request and per process. */

import type { HeaderFields } from "@meltemi/http";

/** Envoy's default buffer limit. A longer body is tried once and mirrored to nobody. */
const MAX_HELD_BYTES = 1024 * 1024;
/** Pieces are gathered: a byte that comes alone would else cost a hundred times its size. */
const MIN_BLOCK_BYTES = 1024;
const MAX_BLOCK_BYTES = 64 * 1024;

/** What all requests together may hold; a bound on memory, not on traffic: beyond it bodies are just not held. */
export class HeldBytes {
  readonly #maxBytes: number;
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get bytes(): number {
    return this.#bytes;
  }

  take(bytes: number): boolean {
    if (this.#bytes + bytes > this.#maxBytes) return false;
    this.#bytes += bytes;
    return true;
  }

  release(bytes: number): void {
    this.#bytes -= bytes;
  }
}

/** Belongs to the request that holds it and to those that {@link share} it; the last to {@link release} it gives it back. */
export class HeldBody {
  readonly #shared: HeldBytes;
  readonly #blocks: Uint8Array[] = [];
  trailers: HeaderFields | undefined;
  #bytes = 0;
  #blockBytes = 0;
  /** Free at the end of the last block. */
  #room = 0;
  #complete = true;
  #users = 1;

  constructor(shared: HeldBytes) {
    this.#shared = shared;
  }

  /** All that has passed is held. */
  get isComplete(): boolean {
    return this.#complete;
  }

  /** Views that stay as they are, whatever is held after them. */
  get chunks(): readonly Uint8Array[] {
    const last = this.#blocks.at(-1);
    if (last === undefined || this.#room === 0) return this.#blocks.slice();
    return [...this.#blocks.slice(0, -1), last.subarray(0, last.length - this.#room)];
  }

  hold(chunk: Uint8Array): void {
    if (!this.#complete) return;
    const fitting = Math.min(this.#room, chunk.length);
    const rest = chunk.length - fitting;
    if (this.#bytes + chunk.length > MAX_HELD_BYTES || (rest > 0 && !this.#mayGrow(rest))) {
      this.#forget();
      return;
    }
    this.#bytes += chunk.length;
    const last = this.#blocks.at(-1);
    if (fitting > 0) last?.set(chunk.subarray(0, fitting), last.length - this.#room);
    this.#room -= fitting;
    if (rest > 0) this.#addBlock(chunk.subarray(fitting));
  }

  share(): void {
    this.#users++;
  }

  release(): void {
    if (--this.#users === 0) this.#forget();
  }

  #mayGrow(rest: number): boolean {
    return this.#shared.take(this.#nextBlockBytes(rest));
  }

  /** The first is as long as what comes, since most bodies come at once; then blocks double. */
  #nextBlockBytes(least: number): number {
    if (this.#blockBytes === 0) return least;
    return Math.max(least, Math.min(Math.max(this.#blockBytes, MIN_BLOCK_BYTES), MAX_BLOCK_BYTES));
  }

  #addBlock(bytes: Uint8Array): void {
    const block = Buffer.allocUnsafeSlow(this.#nextBlockBytes(bytes.length));
    block.set(bytes);
    this.#blocks.push(block);
    this.#blockBytes += block.length;
    this.#room = block.length - bytes.length;
  }

  #forget(): void {
    this.#complete = false;
    this.#shared.release(this.#blockBytes);
    this.#blockBytes = 0;
    this.#room = 0;
    this.#blocks.length = 0;
  }
}
