/** What the peer may still send on a stream or a connection (RFC 9113 §6.9). Credit returns only for bytes that were consumed. */

/** Credit is returned in quarters of the window: rarely enough to be cheap, early enough that a fast sender never waits. */
const RETURN_FRACTION = 4;

export class ReceiveWindow {
  #availableBytes: number;
  #consumedBytes = 0;
  readonly #returnAtBytes: number;

  constructor(windowBytes: number) {
    this.#availableBytes = windowBytes;
    this.#returnAtBytes = Math.ceil(windowBytes / RETURN_FRACTION);
  }

  /** False when the peer sent more than it was allowed. */
  take(bytes: number): boolean {
    this.#availableBytes -= bytes;
    return this.#availableBytes >= 0;
  }

  /** Bytes to announce in a WINDOW_UPDATE now; 0 when it is too early. */
  consume(bytes: number): number {
    this.#consumedBytes += bytes;
    if (this.#consumedBytes < this.#returnAtBytes) return 0;
    const credit = this.#consumedBytes;
    this.#consumedBytes = 0;
    this.#availableBytes += credit;
    return credit;
  }
}
