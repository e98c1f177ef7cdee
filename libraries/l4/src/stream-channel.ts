/** A Node stream as a byte channel, for what only speaks through streams: TLS that this process originates. */

import type { Duplex } from "node:stream";
import { describeError, endProcess, type OnInternalError } from "@meltemi/runtime";
import type { AbortReason, ByteChannel, ByteConsumer, ChannelFault } from "./byte-channel.ts";

/** Takes over a stream of which nothing was read. When the consumer throws, the stream is destroyed and `onInternalError` is told. */
export function streamChannel(stream: Duplex, onInternalError: OnInternalError = endProcess): ByteChannel {
  return new StreamChannel(stream, onInternalError);
}

class StreamChannel implements ByteChannel {
  readonly #stream: Duplex;
  readonly #report: OnInternalError;
  #consumer: ByteConsumer | undefined;
  #fault: ChannelFault | undefined;
  #closed = false;

  constructor(stream: Duplex, report: OnInternalError) {
    this.#stream = stream;
    this.#report = report;
    stream.pause();
    stream.on("error", (error: NodeJS.ErrnoException) => {
      this.#fault =
        error.code === "ECONNRESET" ? { kind: "reset" } : { kind: "broken", detail: error.message };
    });
    stream.on("close", () => {
      this.#closed = true;
      this.#tellClosed();
    });
  }

  get bufferedBytes(): number {
    return this.#stream.writableLength + this.#stream.readableLength;
  }

  open(consumer: ByteConsumer): void {
    this.#consumer = consumer;
    if (this.#closed) {
      queueMicrotask(() => this.#tellClosed());
      return;
    }
    const stream = this.#stream;
    stream.on("data", (chunk: Buffer) => this.#guard(() => this.#consumer?.onData(chunk, false)));
    stream.on("end", () => this.#guard(() => this.#consumer?.onEnd()));
    stream.on("drain", () => this.#guard(() => this.#consumer?.onDrain()));
    stream.resume();
  }

  pause(): void {
    this.#stream.pause();
  }

  resume(): void {
    this.#stream.resume();
  }

  write(chunk: Uint8Array, lent: boolean): boolean {
    if (!this.#stream.writable) return true;
    return this.#stream.write(lent ? Buffer.from(chunk) : chunk);
  }

  endWrite(): void {
    if (this.#stream.writable) this.#stream.end();
  }

  abort(_reason: AbortReason): void {
    this.#consumer = undefined;
    this.#stream.destroy();
  }

  #tellClosed(): void {
    const consumer = this.#consumer;
    this.#consumer = undefined;
    if (consumer === undefined) return;
    const fault = this.#fault ?? this.#unfinished();
    this.#guard(() => (fault === undefined ? consumer.onClosed() : consumer.onFault(fault)));
  }

  /** A stream that was destroyed before both its ends were seen did not end. */
  #unfinished(): ChannelFault | undefined {
    return this.#stream.readableEnded && this.#stream.writableFinished ? undefined : { kind: "reset" };
  }

  #guard(tell: () => void): void {
    try {
      tell();
    } catch (error) {
      this.#fault = { kind: "broken", detail: `internal error: ${describeError(error)}` };
      this.#stream.destroy();
      this.#report(error);
    }
  }
}
