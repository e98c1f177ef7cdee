/** A byte channel as a Node stream, for what speaks to streams alone: TLS over a tunnel. */

import { Duplex } from "node:stream";
import { MeshError } from "@meltemi/runtime";
import type { ByteChannel, ByteConsumer, ChannelFault } from "./byte-channel.ts";

/** Takes over a channel that was not opened; it is opened with the first read. Back-pressure goes both ways. */
export class ChannelDuplex extends Duplex implements ByteConsumer {
  readonly #channel: ByteChannel;
  #onWritable: (() => void) | undefined;
  #opened = false;

  constructor(channel: ByteChannel) {
    super({ allowHalfOpen: true });
    this.#channel = channel;
  }

  setNoDelay(): this {
    return this;
  }

  setTimeout(): this {
    return this;
  }

  onData(chunk: Uint8Array, lent: boolean): void {
    if (!this.push(lent ? Buffer.from(chunk) : chunk)) this.#channel.pause();
  }

  onEnd(): void {
    this.push(null);
  }

  onDrain(): void {
    const resume = this.#onWritable;
    this.#onWritable = undefined;
    resume?.();
  }

  onClosed(): void {
    this.destroy();
  }

  onFault(fault: ChannelFault): void {
    this.destroy(
      new MeshError(
        "UNAVAILABLE",
        `channel beneath: ${fault.kind === "reset" ? "reset by the peer" : fault.detail}`,
      ),
    );
  }

  override _read(): void {
    if (this.#opened) {
      this.#channel.resume();
      return;
    }
    this.#opened = true;
    this.#channel.open(this);
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    if (this.#channel.write(chunk, false)) done();
    else this.#onWritable = done;
  }

  override _final(done: () => void): void {
    this.#channel.endWrite();
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#onWritable = undefined;
    // What was finished in both directions may still be on its way out: only a broken stream resets the channel.
    if (error !== null || !this.readableEnded || !this.writableFinished)
      this.#channel.abort("other-side-failed");
    done(error);
  }
}
