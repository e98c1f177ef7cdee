import type { Http2Stream } from "./stream.ts";

/**
 * Streams with something to deliver, told in one go, outside of whatever runs now: no callback runs inside a call of its receiver,
 * and no stream needs a closure or a microtask of its own.
 */
export class SettleQueue {
  readonly #onInternalError: (error: unknown) => void;
  #streams: Http2Stream[] = [];
  #scheduled = false;
  /** Whoever holds it will call {@link run} before long. */
  held = false;
  readonly #later = (): void => {
    this.#scheduled = false;
    try {
      this.run();
    } catch (error) {
      this.#onInternalError(error);
    }
  };

  constructor(onInternalError: (error: unknown) => void) {
    this.#onInternalError = onInternalError;
  }

  add(stream: Http2Stream): void {
    if (stream.settling) return;
    stream.settling = true;
    this.#streams.push(stream);
    if (this.held || this.#scheduled) return;
    this.#scheduled = true;
    queueMicrotask(this.#later);
  }

  run(): void {
    while (this.#streams.length > 0) {
      const streams = this.#streams;
      this.#streams = [];
      for (const stream of streams) {
        stream.settling = false;
        stream.settle();
      }
    }
  }
}
