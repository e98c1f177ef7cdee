/** A TCP connection as a byte channel. */
import type { Socket } from "node:net";
import { describeError, endProcess, type OnInternalError } from "@meltemi/runtime";
import type { AbortReason, ByteChannel, ByteConsumer, ChannelFault } from "./byte-channel.ts";
import { createReadBuffer, lendReads } from "./lent-reads.ts";
import { WriteBatch } from "./write-batch.ts";

/** Where a socket's listeners find their channel: shared functions instead of five closures for each of 100 000 sockets. */
const CHANNEL = Symbol("channel");
type ChannelSocket = Socket & { [CHANNEL]?: TcpChannel };

/** No read of one socket happens within a read of another. */
const READ_BUFFER = createReadBuffer();
/** Pieces of a long message come in full TLS records of 16 KiB; one that is much shorter is the end of it and leaves at once. */
const FULL_PIECE_BYTES = 8 * 1024;

/**
 * Takes over a connected socket that was made with `allowHalfOpen` and TCP_NODELAY, and of which nothing has been read. That option
 * is the caller's to set: sockets may have it from their listener, and Node does not know. When the consumer throws, its connection
 * is cut, which it hears of as of any other fault, and `onInternalError` is told.
 */
export function tcpChannel(socket: Socket, onInternalError: OnInternalError = endProcess): ByteChannel {
  return new TcpChannel(socket, onInternalError);
}

class TcpChannel implements ByteChannel {
  readonly #socket: ChannelSocket;
  readonly #report: OnInternalError;
  #consumer: ByteConsumer | undefined;
  /** Lent pieces that were copied and not yet written. */
  #batch: WriteBatch | undefined;
  #flushScheduled = false;
  #fault: ChannelFault | undefined;
  #closed = false;

  constructor(socket: ChannelSocket, onInternalError: OnInternalError) {
    this.#socket = socket;
    this.#report = onInternalError;
    socket[CHANNEL] = this;
    socket.pause();
    socket.on("error", onError);
    socket.on("close", onClose);
  }

  get bufferedBytes(): number {
    return this.#socket.writableLength + this.#socket.readableLength + (this.#batch?.length ?? 0);
  }

  open(consumer: ByteConsumer): void {
    this.#consumer = consumer;
    if (this.#closed) {
      queueMicrotask(() => this.onClose());
      return;
    }
    lendReads(this.#socket, READ_BUFFER, onLent);
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
    if (lent && (this.#batch !== undefined || chunk.length >= FULL_PIECE_BYTES)) return this.#join(chunk);
    this.#flush();
    // Not `slice`, which gives a view when the chunk is a Buffer.
    return this.#socket.write(lent ? Buffer.from(chunk) : chunk);
  }

  #join(chunk: Uint8Array): boolean {
    for (let at = 0; at < chunk.length; ) {
      this.#batch ??= new WriteBatch();
      at += this.#batch.append(at === 0 ? chunk : chunk.subarray(at));
      if (this.#batch.full) this.#flush();
    }
    if (chunk.length < FULL_PIECE_BYTES) this.#flush();
    if (this.#batch !== undefined && !this.#flushScheduled) {
      this.#flushScheduled = true;
      setImmediate(flushLater, this);
    }
    // A batch that left at the end of an earlier turn may have filled the socket, when there was nobody to be told.
    return !this.#socket.writableNeedDrain;
  }

  #flush(): void {
    const batch = this.#batch;
    if (batch === undefined) return;
    this.#batch = undefined;
    if (this.#socket.writable) this.#socket.write(batch.bytes, () => batch.release());
    else batch.release();
  }

  flushLater(): void {
    this.#flushScheduled = false;
    try {
      this.#flush();
    } catch (error) {
      this.#onInternalError(error);
    }
  }

  endWrite(): void {
    this.#flush();
    const socket = this.#socket;
    // With nothing left to write or to read, closing sends the same FIN without a shutdown(2) and the turn of the event loop after it.
    if (socket.readableEnded && socket.writableLength === 0) socket.destroy();
    else socket.end();
  }

  abort(_reason: AbortReason): void {
    this.#consumer = undefined;
    this.#batch?.release();
    this.#batch = undefined;
    const socket = this.#socket;
    // While the kernel is being asked for a FIN, libuv refuses to reset, and Node then loses the descriptor for good. With
    // nothing left to write that takes one turn of the event loop; with bytes waiting, the FIN has not been asked for yet.
    const finishing = socket.writableEnded && !socket.writableFinished && socket.writableLength === 0;
    if (finishing) socket.once("finish", () => socket.resetAndDestroy());
    else socket.resetAndDestroy();
  }

  onData(chunk: Uint8Array, lent: boolean): void {
    // Spelled out, here and below: what escapes an event handler ends the process, and a read should not make a closure.
    try {
      this.#consumer?.onData(chunk, lent);
    } catch (error) {
      this.#onInternalError(error);
    }
  }

  onEnd(): void {
    try {
      this.#consumer?.onEnd();
    } catch (error) {
      this.#onInternalError(error);
    }
  }

  onDrain(): void {
    try {
      this.#consumer?.onDrain();
    } catch (error) {
      this.#onInternalError(error);
    }
  }

  /** The consumer failed on this connection: it is cut, and told why as of any other fault. */
  #onInternalError(error: unknown): void {
    this.#fault = { kind: "broken", detail: `internal error: ${describeError(error)}` };
    this.#socket.destroy();
    this.#report(error);
  }

  onError(error: NodeJS.ErrnoException): void {
    this.#fault = faultOf(error);
  }

  onClose(): void {
    this.#closed = true;
    const consumer = this.#consumer;
    if (consumer === undefined) return;
    this.#consumer = undefined;
    try {
      if (this.#fault === undefined) consumer.onClosed();
      else consumer.onFault(this.#fault);
    } catch (error) {
      // That was its last call, and nothing is left to cut.
      this.#report(error);
    }
  }
}

function faultOf(error: NodeJS.ErrnoException): ChannelFault {
  // EPIPE is the answer to writing after the peer's reset, when the write is faster than the news.
  if (error.code === "ECONNRESET" || error.code === "EPIPE") return { kind: "reset" };
  return { kind: "broken", detail: error.message };
}

function onLent(this: ChannelSocket, length: number, buffer: Uint8Array): true {
  this[CHANNEL]?.onData(buffer.subarray(0, length), true);
  return true;
}

function onData(this: ChannelSocket, chunk: Buffer): void {
  this[CHANNEL]?.onData(chunk, false);
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

const flushLater = (channel: TcpChannel): void => channel.flushLater();
