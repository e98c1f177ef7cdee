/**
 * One HTTP/2 stream, whatever it carries: what is buffered, what has ended, who is told, and when. Frames are the connection's
 * business; what heads mean and who receives the body are that of the kinds of stream, which extend this.
 */
import type { HttpFault } from "../exchange.ts";
import type { HeaderEntry } from "../hpack/header-entry.ts";
import { ByteQueue } from "./byte-queue.ts";
import { ErrorCode, errorCodeName } from "./constants.ts";
import { ReceiveWindow } from "./receive-window.ts";
import { SendingHalf } from "./sending-half.ts";
import type { HeadVerdict, StreamHost } from "./stream-host.ts";

/** Delivered in one piece when a paused stream is resumed; keeps single writes to the application sensible. */
const DELIVER_BYTES = 64 * 1024;

export abstract class Http2Stream extends SendingHalf {
  /** The final response (client) or request (server) head is in. */
  headReceived = false;
  /** When the request came (server), by the time that the connection is told. */
  requestedAtMs = 0;
  /** The request was answered (server). */
  answered = false;
  remoteEnded = false;
  /** Stands among those that the connection will settle. */
  settling = false;
  readonly #window: ReceiveWindow;
  /** Somebody receives, and did not pause. */
  #receives = false;
  #paused = false;
  /** Bytes are kept back, for another reason than the receiver's wish. */
  #withheld = false;
  #received: ByteQueue | undefined;
  #fault: HttpFault | undefined;
  #endDelivered = false;
  #closedDelivered = false;

  constructor(id: number, host: StreamHost, sendWindowBytes: number, receiveWindowBytes: number) {
    super(id, host, sendWindowBytes);
    this.#window = new ReceiveWindow(receiveWindowBytes);
  }

  /** A list of fields came while the head was missing. `fields` is reused after the call. */
  abstract onHead(fields: readonly HeaderEntry[], oversized: boolean, endStream: boolean): HeadVerdict;
  /** The list that ends the stream came, before the end is told; false: it is malformed. */
  protected abstract takeTrailers(fields: readonly HeaderEntry[]): boolean;
  protected abstract deliverData(chunk: Uint8Array, lent: boolean): void;
  protected abstract deliverEnd(): void;
  /** The last call. */
  protected abstract deliverFault(fault: HttpFault): void;
  /** Both directions are over and all is told. */
  protected deliverClosed(): void {}
  /** The body may go on by this many bytes, or end (undefined); otherwise why not. */
  protected bodyFault(_bytes: number | undefined): string | undefined {
    return undefined;
  }
  get bufferedBytes(): number {
    return this.pendingBytes + (this.#received?.bytes ?? 0);
  }

  protected get endDelivered(): boolean {
    return this.#endDelivered;
  }

  /** From now on somebody is there to receive. */
  protected startReceiving(): void {
    this.#receives = true;
    if (this.#received !== undefined || this.remoteEnded || this.#fault !== undefined)
      this.host.settleSoon(this);
  }

  /** Keeps the body back until it is withheld no longer; ends of the stream by a fault are told all the same. */
  protected withhold(withheld: boolean): void {
    this.#withheld = withheld;
    if (!withheld && (this.#received !== undefined || this.remoteEnded)) this.host.settleSoon(this);
  }

  /** Nobody is to be told anything any more. */
  protected stopReceiving(): void {
    this.#receives = false;
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    if (this.#received !== undefined || this.remoteEnded) this.host.settleSoon(this);
  }

  /** The peer reads no more, which is no fault: what is written from now on is lost. */
  protected stopSending(): void {
    this.discardPending();
    this.endRequested = true;
    this.localEnded = true;
    this.host.release(this);
  }

  /** Sends RST_STREAM and forgets everything; nobody is told. */
  reset(code: number): void {
    const over = this.gone || (this.localEnded && this.remoteEnded);
    this.gone = true;
    this.stopReceiving();
    if (!over) this.host.sendReset(this, code);
    this.#discard();
    this.host.release(this);
  }

  /** False when the peer overran the stream's window. */
  takeWindow(bytes: number): boolean {
    return this.#window.take(bytes);
  }

  /** Payload bytes arrived; `piece` is valid during the call. False: the peer broke a rule, and the stream was reset. */
  onPiece(piece: Uint8Array): boolean {
    const why = this.bodyFault(piece.length);
    if (why !== undefined) {
      this.returnCredit(piece.length);
      this.failWith(ErrorCode.protocolError, why);
      return false;
    }
    if (!this.#receives || this.#paused || this.#withheld || this.#received !== undefined) {
      this.#received ??= new ByteQueue();
      this.#received.push(piece, true);
      return true;
    }
    this.deliverData(piece, true);
    this.returnCredit(piece.length);
    return true;
  }

  /** Bytes were consumed, or were padding. */
  returnCredit(bytes: number): void {
    // A peer that has ended needs no credit on the stream any more, the connection does.
    const credit = this.remoteEnded || this.gone ? 0 : this.#window.consume(bytes);
    this.host.consumed(this, bytes, credit);
  }

  /** Trailers came; false as in {@link onPiece}. */
  onTrailers(fields: readonly HeaderEntry[], oversized: boolean): boolean {
    if (!oversized && this.takeTrailers(fields)) return this.onRemoteEnd();
    this.failWith(ErrorCode.protocolError, oversized ? "trailers exceed the limit" : "malformed trailers");
    return false;
  }

  /** END_STREAM came; false as in {@link onPiece}. */
  onRemoteEnd(): boolean {
    const why = this.bodyFault(undefined);
    if (why !== undefined) {
      this.failWith(ErrorCode.protocolError, why);
      return false;
    }
    this.remoteEnded = true;
    if (this.localEnded) this.host.release(this);
    this.settle();
    return true;
  }

  /** The end came with the head, and is told with it. */
  protected endsWithHead(): void {
    this.remoteEnded = true;
    this.#endDelivered = true;
    if (this.localEnded) this.host.release(this);
  }

  /** RST_STREAM came. */
  onPeerReset(code: number): void {
    this.onFault({ kind: "reset", http2Code: code, detail: `peer reset the stream: ${errorCodeName(code)}` });
  }

  /** The peer broke the rules on this stream alone. */
  failWith(code: number, why: string): void {
    if (this.gone) return;
    this.host.sendReset(this, code);
    this.onFault({ kind: "protocol", detail: `peer violated HTTP/2: ${why}` });
  }

  /** Our own user broke the rules: the peer must not take what it has for the whole. */
  protected breakOff(why: string): void {
    this.host.sendReset(this, ErrorCode.internalError);
    this.faultSoon({ kind: "protocol", detail: why });
  }

  /** The peer reset the stream, or the connection broke. */
  onFault(fault: HttpFault): void {
    if (this.gone) return;
    this.#break(fault);
    this.settle();
  }

  /** The same, told outside of whatever runs now. */
  protected faultSoon(fault: HttpFault): void {
    if (this.gone) return;
    this.#break(fault);
    this.host.settleSoon(this);
  }

  #break(fault: HttpFault): void {
    this.gone = true;
    this.#fault = fault;
    this.#discard();
    this.host.release(this);
  }

  /** The last byte and END_STREAM are with the connection. */
  protected onEndSent(): void {
    this.localEnded = true;
    if (!this.remoteEnded) return;
    this.host.release(this);
    this.host.settleSoon(this);
  }

  /** Delivers what can be delivered: bytes, then the end, then that all is over. The connection calls it, never a user. */
  settle(): void {
    if (!this.#receives) return;
    if (this.#fault !== undefined) {
      this.#receives = false;
      this.deliverFault(this.#fault);
      return;
    }
    if (this.#withheld) return;
    this.#deliverReceived();
    if (this.remoteEnded && this.#received === undefined && !this.#endDelivered && this.#receives) {
      this.#endDelivered = true;
      this.deliverEnd();
    }
    if (this.#endDelivered && this.localEnded && !this.#closedDelivered) {
      this.#closedDelivered = true;
      this.deliverClosed();
    }
  }

  #deliverReceived(): void {
    while (!this.#paused && this.#received !== undefined && this.#receives) {
      const chunk = this.#received.shift(DELIVER_BYTES);
      if (this.#received.bytes === 0) this.#received = undefined;
      if (chunk === undefined) return;
      this.deliverData(chunk, false);
      this.returnCredit(chunk.length);
    }
  }

  #discard(): void {
    const held = this.#received?.bytes ?? 0;
    this.#received = undefined;
    this.discardPending();
    if (held > 0) this.host.consumed(this, held, 0);
  }
}
