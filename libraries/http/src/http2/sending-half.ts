/** The sending half of one stream: what waits, what follows the last byte, and when the writer may go on. */
import { ByteQueue } from "./byte-queue.ts";
import type { Sender } from "./send-scheduler.ts";
import type { StreamHost } from "./stream-host.ts";

export abstract class SendingHalf implements Sender {
  readonly id: number;
  sendWindowBytes: number;
  queued = false;
  wantsDrain = false;
  /** The writer has finished; bytes may still wait. */
  endRequested = false;
  localEnded = false;
  /** Reset by either side, or the connection is gone. */
  gone = false;
  protected readonly host: StreamHost;
  #pending: ByteQueue | undefined;

  constructor(id: number, host: StreamHost, sendWindowBytes: number) {
    this.id = id;
    this.host = host;
    this.sendWindowBytes = sendWindowBytes;
  }

  protected abstract deliverWritable(): void;
  /** The last byte and END_STREAM are with the connection. */
  protected abstract onEndSent(): void;

  /** What follows the last byte instead of a bare END_STREAM; returns true when it was sent. */
  protected sendTrailers(): boolean {
    return false;
  }

  /** Trailers will follow, so that the last DATA frame is not the end. */
  protected get hasTrailers(): boolean {
    return false;
  }

  get pendingBytes(): number {
    return this.#pending?.bytes ?? 0;
  }

  get endsWithPending(): boolean {
    return this.endRequested && !this.hasTrailers;
  }

  write(chunk: Uint8Array, lent: boolean): boolean {
    if (this.gone || this.endRequested || chunk.length === 0) return true;
    const sent = this.pendingBytes === 0 ? this.host.sendNow(this, chunk) : 0;
    if (sent === chunk.length && !this.host.full) return true;
    this.wantsDrain = true;
    if (sent < chunk.length) {
      this.#pending ??= new ByteQueue();
      this.#pending.push(sent === 0 ? chunk : chunk.subarray(sent), lent);
    }
    this.host.wait(this);
    return false;
  }

  /** Ends the writing side after what waits. */
  protected finish(): void {
    if (this.gone || this.endRequested) return;
    this.endRequested = true;
    this.wantsDrain = false;
    if (this.pendingBytes > 0) return;
    if (!this.sendTrailers()) this.host.sendEnd(this);
    this.onEndSent();
  }

  onPendingSent(ended: boolean): void {
    if (ended) {
      this.onEndSent();
    } else if (this.endRequested) {
      this.sendTrailers();
      this.onEndSent();
    } else if (this.wantsDrain) {
      this.wantsDrain = false;
      this.deliverWritable();
    }
  }

  takePending(limit: number): Uint8Array {
    const chunk = this.#pending?.shift(limit) ?? NOTHING;
    if (this.#pending?.bytes === 0) this.#pending = undefined;
    return chunk;
  }

  /** Forgets what waits to be sent; how many bytes that was. */
  protected discardPending(): number {
    const bytes = this.pendingBytes;
    this.#pending = undefined;
    this.wantsDrain = false;
    return bytes;
  }
}

const NOTHING = new Uint8Array(0);
