/** The request body as far as it has passed, for another try or for mirrors: copied once, bounded per request and per process. */

import type { HeaderFields } from "@meltemi/http";

/** Envoy's default buffer limit. A longer body is tried once and mirrored to nobody. */
const MAX_HELD_BYTES = 1024 * 1024;

/** What all requests together may hold; a bound on memory, not on traffic: beyond it bodies are just not held. */
export class HeldBytes {
  readonly #maxBytes: number;
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
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

export class HeldBody {
  readonly #shared: HeldBytes;
  readonly chunks: Uint8Array[] = [];
  trailers: HeaderFields | undefined;
  #bytes = 0;
  #complete = true;

  constructor(shared: HeldBytes) {
    this.#shared = shared;
  }

  /** All that has passed is held. */
  get isComplete(): boolean {
    return this.#complete;
  }

  hold(chunk: Uint8Array): void {
    if (!this.#complete) return;
    if (this.#bytes + chunk.length > MAX_HELD_BYTES || !this.#shared.take(chunk.length)) {
      this.abandon();
      return;
    }
    this.#bytes += chunk.length;
    this.chunks.push(Uint8Array.prototype.slice.call(chunk));
  }

  /** Forgets; there will be no further try. */
  abandon(): void {
    this.#complete = false;
    this.#shared.release(this.#bytes);
    this.#bytes = 0;
    this.chunks.length = 0;
  }
}
