/** A TCP connection as a byte channel. */
import type { Socket } from "node:net";
import type { AbortReason, ByteChannel, ByteConsumer, ChannelFault } from "./byte-channel.ts";

/** Where a socket's listeners find their channel: shared functions instead of five closures for each of 100 000 sockets. */
const CHANNEL = Symbol("channel");
type ChannelSocket = Socket & { [CHANNEL]?: TcpChannel };

/**
 * Takes over a connected socket that was made with `allowHalfOpen` and of which nothing has been read. Nagle's algorithm is
 * switched off: what the far side sent in one piece arrives without delay.
 */
export function tcpChannel(socket: Socket): ByteChannel {
  return new TcpChannel(socket);
}

class TcpChannel implements ByteChannel {
  readonly #socket: Socket;
  #consumer: ByteConsumer | undefined;
  #fault: ChannelFault | undefined;
  #closed = false;

  constructor(socket: ChannelSocket) {
    this.#socket = socket;
    socket[CHANNEL] = this;
    socket.setNoDelay(true);
    socket.pause();
    socket.on("error", onError);
    socket.on("close", onClose);
  }

  get bufferedBytes(): number {
    return this.#socket.writableLength + this.#socket.readableLength;
  }

  open(consumer: ByteConsumer): void {
    this.#consumer = consumer;
    if (this.#closed) {
      queueMicrotask(() => this.onClose());
      return;
    }
    this.#socket.on("data", onData);
    this.#socket.on("end", onEnd);
    this.#socket.on("drain", onDrain);
    this.#socket.resume();
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  write(chunk: Uint8Array, lent: boolean): boolean {
    if (!this.#socket.writable) return true;
    // Not `slice`, which gives a view when the chunk is a Buffer.
    return this.#socket.write(lent ? Buffer.from(chunk) : chunk);
  }

  endWrite(): void {
    this.#socket.end();
  }

  abort(_reason: AbortReason): void {
    this.#consumer = undefined;
    const socket = this.#socket;
    // While the kernel is being asked for a FIN, libuv refuses to reset, and Node then loses the descriptor for good. With
    // nothing left to write that takes one turn of the event loop; with bytes waiting, the FIN has not been asked for yet.
    const finishing = socket.writableEnded && !socket.writableFinished && socket.writableLength === 0;
    if (finishing) socket.once("finish", () => socket.resetAndDestroy());
    else socket.resetAndDestroy();
  }

  onData(chunk: Buffer): void {
    this.#consumer?.onData(chunk, false);
  }

  onEnd(): void {
    this.#consumer?.onEnd();
  }

  onDrain(): void {
    this.#consumer?.onDrain();
  }

  onError(error: NodeJS.ErrnoException): void {
    this.#fault = faultOf(error);
  }

  onClose(): void {
    this.#closed = true;
    const consumer = this.#consumer;
    if (consumer === undefined) return;
    this.#consumer = undefined;
    if (this.#fault === undefined) consumer.onClosed();
    else consumer.onFault(this.#fault);
  }
}

function faultOf(error: NodeJS.ErrnoException): ChannelFault {
  // EPIPE is the answer to writing after the peer's reset, when the write is faster than the news.
  if (error.code === "ECONNRESET" || error.code === "EPIPE") return { kind: "reset" };
  return { kind: "broken", detail: error.message };
}

function onData(this: ChannelSocket, chunk: Buffer): void {
  this[CHANNEL]?.onData(chunk);
}

function onEnd(this: ChannelSocket): void {
  this[CHANNEL]?.onEnd();
}

function onDrain(this: ChannelSocket): void {
  this[CHANNEL]?.onDrain();
}

function onError(this: ChannelSocket, error: NodeJS.ErrnoException): void {
  this[CHANNEL]?.onError(error);
}

function onClose(this: ChannelSocket): void {
  this[CHANNEL]?.onClose();
}
