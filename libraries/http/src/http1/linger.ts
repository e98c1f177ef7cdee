/**
 * The time after the last response. We have finished writing and wait for the client to do so: closing at once would reset, and a
 * reset overtakes the response (RFC 9112 §9.6). nginx waits 5 s for a byte, 30 s in all.
 */

import type { ByteChannel } from "@meltemi/l4";

export const LINGER_MS = 10_000;
/** What a client may still send meanwhile; then it is held back until the time is over. */
const LINGER_BYTES = 1024 * 1024;

/** One per connection, made when it begins to close. */
export class Linger {
  readonly #channel: ByteChannel;
  #receivedBytes = 0;
  #unsentBytes: number;

  constructor(channel: ByteChannel) {
    this.#channel = channel;
    this.#unsentBytes = channel.bufferedBytes;
  }

  /** Bytes that came and were dropped. */
  drop(bytes: number): void {
    this.#receivedBytes += bytes;
  }

  get isFull(): boolean {
    return this.#receivedBytes >= LINGER_BYTES;
  }

  /** The client has read some of its response since it was asked last, and still has some to read: it has another while. */
  isStillRead(): boolean {
    const unsentBytes = this.#channel.bufferedBytes;
    const progress = unsentBytes > 0 && unsentBytes < this.#unsentBytes;
    if (progress) this.#unsentBytes = unsentBytes;
    return progress;
  }
}
