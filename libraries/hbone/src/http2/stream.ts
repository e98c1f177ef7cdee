/** One HTTP/2 stream as a byte channel: what is buffered, what has ended, who is told. Frames are the connection's business. */
import type { AbortReason, ByteChannel, ByteConsumer, ChannelFault } from "@meltemi/l4";
import { detach } from "@meltemi/runtime";
import type { HeaderFields } from "../headers.ts";
import { ByteQueue } from "./byte-queue.ts";
import { ErrorCode, errorCodeName } from "./constants.ts";
import { ReceiveWindow } from "./receive-window.ts";
import type { Sender } from "./send-scheduler.ts";

/** What a stream asks of its connection. */
export interface StreamHost {
  /** Frames as much of `chunk` as windows permit; returns how much. */
  sendNow(stream: Http2Stream, chunk: Uint8Array): number;
  /** The connection has enough to send. */
  readonly full: boolean;
  /** Registers a stream whose bytes wait, or that waits for room. */
  wait(stream: Http2Stream): void;
  sendEnd(stream: Http2Stream): void;
  sendHeaders(stream: Http2Stream, fields: HeaderFields, endStream: boolean): void;
  sendReset(stream: Http2Stream, code: number): void;
  /** Received bytes were consumed: `streamCredit` goes to the stream's window when not 0, `bytes` to the connection's. */
  consumed(stream: Http2Stream, bytes: number, streamCredit: number): void;
  /** Neither side will send on this stream again. */
  release(stream: Http2Stream): void;
  /** The consumer threw where nobody else would notice. */
  onInternalError(error: unknown): void;
}

/** Is told what happens before a consumer is there. */
export interface StreamWatcher {
  onResponse(status: number, headers: HeaderFields): void;
  onFault(fault: ChannelFault): void;
}

/** Delivered in one piece when a paused stream is resumed; keeps single writes to the application sensible. */
const DELIVER_BYTES = 64 * 1024;

export class Http2Stream implements ByteChannel, Sender {
  readonly id: number;
  sendWindowBytes: number;
  queued = false;
  wantsDrain = false;
  watcher: StreamWatcher | undefined;
  /** The final response (client) or request (server) headers are in. */
  headReceived = false;
  /** When the request came (server), by the time that the connection is told. */
  requestedAtMs = 0;
  /** The request was answered (server). */
  answered = false;
  remoteEnded = false;
  localEnded = false;
  endAfterPending = false;
  /** The peer reads no more: its reset was an end. */
  stopped = false;
  /** Reset by either side, or the connection is gone. */
  gone = false;
  readonly #host: StreamHost;
  readonly #window: ReceiveWindow;
  #consumer: ByteConsumer | undefined;
  #paused = true;
  #received: ByteQueue | undefined;
  #pending: ByteQueue | undefined;
  #fault: ChannelFault | undefined;
  #endDelivered = false;
  #closedDelivered = false;
  #settling = false;

  constructor(id: number, host: StreamHost, sendWindowBytes: number, receiveWindowBytes: number) {
    this.id = id;
    this.#host = host;
    this.sendWindowBytes = sendWindowBytes;
    this.#window = new ReceiveWindow(receiveWindowBytes);
  }

  get pendingBytes(): number {
    return this.#pending?.bytes ?? 0;
  }

  get bufferedBytes(): number {
    return this.pendingBytes + (this.#received?.bytes ?? 0);
  }

  open(consumer: ByteConsumer): void {
    this.#consumer = consumer;
    this.#paused = false;
    this.#settleSoon();
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    if (this.#received !== undefined) this.#settleSoon();
  }

  write(chunk: Uint8Array, lent: boolean): boolean {
    if (this.gone || this.localEnded || this.endAfterPending || chunk.length === 0) return true;
    if (this.stopped) {
      this.#refuseSoon();
      return true;
    }
    const sent = this.pendingBytes === 0 ? this.#host.sendNow(this, chunk) : 0;
    if (sent === chunk.length && !this.#host.full) return true;
    this.wantsDrain = true;
    if (sent < chunk.length) this.#hold(sent === 0 ? chunk : chunk.subarray(sent), lent);
    this.#host.wait(this);
    return false;
  }

  #hold(rest: Uint8Array, lent: boolean): void {
    this.#pending ??= new ByteQueue();
    this.#pending.push(rest, lent);
  }

  endWrite(): void {
    if (this.gone || this.localEnded || this.endAfterPending) return;
    if (this.pendingBytes > 0) {
      this.endAfterPending = true;
      return;
    }
    if (!this.stopped) this.#host.sendEnd(this);
    this.onEndSent();
  }

  abort(reason: AbortReason): void {
    this.#consumer = undefined;
    // CANCEL would do for most, but Istio's ztunnel reads it as a clean end of the stream; this code says that TCP broke.
    this.reset(reason === "limit" ? ErrorCode.enhanceYourCalm : ErrorCode.connectError);
  }

  /** Sends RST_STREAM and forgets everything; nobody is told. */
  reset(code: number): void {
    const over = this.gone || this.stopped || (this.localEnded && this.remoteEnded);
    this.gone = true;
    if (!over) this.#host.sendReset(this, code);
    this.#discard();
    this.#host.release(this);
  }

  /** Answers a request (server). */
  respond(status: number, headers: HeaderFields, endStream: boolean): void {
    if (this.gone || this.localEnded || this.stopped) return;
    this.watcher = undefined;
    this.answered = true;
    this.#host.sendHeaders(this, [[":status", String(status)], ...headers], endStream);
    if (!endStream) return;
    this.onEndSent();
    // The peer need not send the rest of a body that nobody reads (RFC 9113 §8.1).
    if (!this.remoteEnded) this.reset(ErrorCode.noError);
  }

  /** False when the peer overran the stream's window. */
  takeWindow(bytes: number): boolean {
    return this.#window.take(bytes);
  }

  /** Payload bytes arrived; `piece` is valid during the call. */
  onPiece(piece: Uint8Array): void {
    if (this.#consumer === undefined || this.#paused || this.#received !== undefined) {
      this.#received ??= new ByteQueue();
      this.#received.push(piece, true);
      return;
    }
    this.#consumer.onData(piece, true);
    this.returnCredit(piece.length);
  }

  /** Bytes were consumed, or were padding. */
  returnCredit(bytes: number): void {
    // A peer that has ended needs no credit on the stream any more, the connection does.
    const credit = this.remoteEnded || this.gone ? 0 : this.#window.consume(bytes);
    this.#host.consumed(this, bytes, credit);
  }

  onRemoteEnd(): void {
    this.remoteEnded = true;
    if (this.localEnded) this.#host.release(this);
    this.#settle();
  }

  /** RST_STREAM came. */
  onPeerReset(code: number): void {
    if (code !== ErrorCode.noError || !this.headReceived) {
      this.onFault({ kind: "reset", http2Code: code });
      return;
    }
    // "Stop sending, nothing is wrong": what came before is true, so it is an end (protocol §1.8). Only bytes that have nobody to
    // go to any more make it a fault, as TCP answers them with a reset.
    const unsent = this.pendingBytes > 0;
    this.#pending = undefined;
    this.stopped = true;
    this.remoteEnded = true;
    this.#host.release(this);
    this.#settle();
    if (unsent) this.#refuseSoon();
  }

  #refuseSoon(): void {
    this.#soon(() => this.onFault({ kind: "reset", http2Code: ErrorCode.noError }));
  }

  /** The peer broke the rules on this stream alone. */
  failWith(code: number): void {
    if (this.gone) return;
    this.#host.sendReset(this, code);
    this.onFault({ kind: "broken", detail: `peer violated HTTP/2 on a stream: ${errorCodeName(code)}` });
  }

  /** The peer reset the stream, or the connection broke. */
  onFault(fault: ChannelFault): void {
    if (this.gone) return;
    this.gone = true;
    this.#fault = fault;
    this.#discard();
    this.#host.release(this);
    this.#settle();
  }

  onEndSent(): void {
    this.localEnded = true;
    if (this.remoteEnded) this.#host.release(this);
    this.#settleSoon();
  }

  onPendingSent(): void {
    if (!this.wantsDrain) return;
    this.wantsDrain = false;
    this.#consumer?.onDrain();
  }

  takePending(limit: number): Uint8Array {
    const chunk = this.#pending?.shift(limit) ?? EMPTY;
    if (this.#pending?.bytes === 0) this.#pending = undefined;
    return chunk;
  }

  /** Callbacks never run inside the caller's `open`, `resume` or `endWrite`. */
  #settleSoon(): void {
    if (this.#settling) return;
    this.#settling = true;
    this.#soon(() => {
      this.#settling = false;
      this.#settle();
    });
  }

  #soon(task: () => void): void {
    queueMicrotask(() => detach(task, (error) => this.#host.onInternalError(error)));
  }

  /** Delivers what can be delivered: bytes, then the end, then that all is over. */
  #settle(): void {
    if (this.#fault !== undefined) {
      this.#deliverFault(this.#fault);
      return;
    }
    if (this.#consumer === undefined) return;
    this.#deliverReceived();
    if (this.remoteEnded && this.#received === undefined && !this.#endDelivered) {
      this.#endDelivered = true;
      this.#consumer?.onEnd();
    }
    if (this.#endDelivered && this.localEnded && !this.#closedDelivered) {
      this.#closedDelivered = true;
      this.#consumer?.onClosed();
    }
  }

  #deliverReceived(): void {
    while (!this.#paused && this.#received !== undefined && this.#consumer !== undefined) {
      const chunk = this.#received.shift(DELIVER_BYTES);
      if (this.#received.bytes === 0) this.#received = undefined;
      if (chunk === undefined) return;
      this.#consumer.onData(chunk, false);
      this.returnCredit(chunk.length);
    }
  }

  #deliverFault(fault: ChannelFault): void {
    const watcher = this.watcher;
    const consumer = this.#consumer;
    this.watcher = undefined;
    this.#consumer = undefined;
    if (consumer === undefined) watcher?.onFault(fault);
    else consumer.onFault(fault);
  }

  #discard(): void {
    const held = this.#received?.bytes ?? 0;
    this.#received = undefined;
    this.#pending = undefined;
    if (held > 0) this.#host.consumed(this, held, 0);
  }
}

const EMPTY = new Uint8Array(0);
