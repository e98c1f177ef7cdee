/** A byte channel whose other end is the test. It lends every chunk and spoils it afterwards, as a socket does. */

import type { AbortReason, ByteChannel, ByteConsumer } from "@meltemi/l4";

export class MemoryChannel implements ByteChannel {
  #consumer: ByteConsumer | undefined;
  #waiting: Buffer[] = [];
  #sent: Buffer[] = [];
  #peerEnded = false;
  paused = false;
  ended = false;
  aborted: AbortReason | undefined;
  /** Number of calls to `write`. */
  writes = 0;
  /** `write` says false once so much was written since the last `drain`. */
  highWater: number = Number.POSITIVE_INFINITY;
  bufferedBytes = 0;

  /** Everything written so far, as Latin-1. */
  get sent(): string {
    return Buffer.concat(this.#sent).toString("latin1");
  }

  /** Bytes that wait because the consumer paused. */
  get heldBytes(): number {
    return this.#waiting.reduce((sum, chunk) => sum + chunk.length, 0);
  }

  open(consumer: ByteConsumer): void {
    this.#consumer = consumer;
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
    process.nextTick(() => this.#deliver());
  }

  write(chunk: Uint8Array, lent: boolean): boolean {
    this.writes++;
    if (this.ended || this.aborted !== undefined) throw new Error("write after the end");
    this.#sent.push(lent ? Buffer.from(chunk) : Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length));
    if (this.highWater === Number.POSITIVE_INFINITY) return true;
    this.bufferedBytes += chunk.length;
    return this.bufferedBytes < this.highWater;
  }

  endWrite(): void {
    this.ended = true;
    this.#maybeClosed();
  }

  abort(reason: AbortReason): void {
    this.aborted ??= reason;
    this.#consumer = undefined;
  }

  // The test's side.

  receive(bytes: string | Uint8Array): void {
    this.#waiting.push(typeof bytes === "string" ? Buffer.from(bytes, "latin1") : Buffer.from(bytes));
    this.#deliver();
  }

  finish(): void {
    this.#peerEnded = true;
    this.#deliver();
  }

  reset(): void {
    const consumer = this.#consumer;
    this.#consumer = undefined;
    consumer?.onFault({ kind: "reset" });
  }

  drain(): void {
    this.bufferedBytes = 0;
    this.#consumer?.onDrain();
  }

  #deliver(): void {
    while (!this.paused && this.#waiting.length > 0) {
      const chunk = this.#waiting.shift() as Buffer;
      this.#consumer?.onData(chunk, true);
      chunk.fill(0xee);
    }
    if (!this.#peerEnded || this.paused || this.#waiting.length > 0) return;
    this.#consumer?.onEnd();
    this.#maybeClosed();
  }

  #maybeClosed(): void {
    if (!this.ended || !this.#peerEnded) return;
    process.nextTick(() => {
      const consumer = this.#consumer;
      this.#consumer = undefined;
      consumer?.onClosed();
    });
  }
}
