/** Drives one HTTP/2 connection over a byte channel: reads, batched writes, keepalive, time limits, and one end for all causes. */
import type { AbortReason, ByteChannel, ByteConsumer, ChannelFault } from "@meltemi/l4";
import { type Clock, describeError, type Timer } from "@meltemi/runtime";
import type { HttpFault } from "../exchange.ts";
import { Http2Connection } from "./connection.ts";
import { ConnectionWatch, type Watched } from "./connection-watch.ts";
import { type ConnectionError, errorCodeName } from "./constants.ts";
import type { Http2ConnectionOptions } from "./options.ts";
import { type BatchBuffers, Outbox } from "./outbox.ts";
import type { ConnectionEvents, Http2Role } from "./receiver-host.ts";
import type { Http2Stream } from "./stream.ts";
import { CONNECTION_CLOSED, type StreamHost } from "./stream-host.ts";

/** How a connection ended; for a log line. */
export type Http2End =
  /** The peer closed it between requests, or it drained to the end. */
  | { readonly kind: "closed" }
  /** Violation by the peer, flood, timeout, network error. */
  | { readonly kind: "failed"; readonly detail: string }
  /** Cut by this process. */
  | { readonly kind: "aborted" };

/** What is made on top of a connection. */
export interface ChannelConnectionOwner {
  createStream(id: number, host: StreamHost, sendBytes: number, receiveBytes: number): Http2Stream;
  onCapacity(): void;
  /** Called once. */
  onEnd(end: Http2End): void;
  onInternalError(error: unknown): void;
}

export interface ChannelConnectionDeps {
  readonly clock: Clock;
  readonly buffers: BatchBuffers;
}

/** A last GOAWAY may take this long to leave; a peer that does not read must not keep the channel. */
const CLOSE_LINGER_MS = 1000;

export class ChannelConnection implements ByteConsumer, ConnectionEvents, Watched {
  readonly http2: Http2Connection;
  readonly #channel: ByteChannel;
  readonly #owner: ChannelConnectionOwner;
  readonly #options: Http2ConnectionOptions;
  readonly #clock: Clock;
  readonly #watch: ConnectionWatch;
  /** The channel asked to wait. */
  #blocked = false;
  #flushScheduled = false;
  #closing = false;
  /** The channel is finished with: half-closed after the last frame, or cut. */
  #finished = false;
  #ended = false;
  #end: Http2End | undefined;
  #closer: Timer | undefined;

  constructor(
    role: Http2Role,
    channel: ByteChannel,
    options: Http2ConnectionOptions,
    owner: ChannelConnectionOwner,
    deps: ChannelConnectionDeps,
  ) {
    this.#channel = channel;
    this.#owner = owner;
    this.#options = options;
    this.#clock = deps.clock;
    this.http2 = new Http2Connection(role, options, new Outbox(deps.buffers), this);
    this.#watch = new ConnectionWatch(this, options, deps.clock);
  }

  start(extendedConnect: boolean): void {
    this.http2.start(extendedConnect);
    this.#watch.start();
  }

  get active(): number {
    return this.http2.streams.size;
  }

  get settled(): boolean {
    return this.http2.settled;
  }

  ping(): void {
    this.http2.ping();
  }

  timeOut(detail: string): void {
    this.abort({ kind: "timeout", detail }, { kind: "failed", detail });
  }

  /** Cuts the connection. */
  close(): void {
    this.abort({ kind: "reset", detail: "connection cut by this process" });
  }

  /** Lets requests finish and then closes; the peer is asked to begin no more. */
  drain(): void {
    if (this.#closing || this.#finished) return;
    this.#closing = true;
    this.guard(() => {
      if (this.http2.role === "server") {
        this.http2.goaway();
        this.#closer = this.#after(this.#options.drainNoticeMs, () => this.#closeWhenDone(true));
      }
      this.#closeWhenDone(false);
    });
  }

  /** Cuts everything now; a GOAWAY is tried. */
  abort(fault: HttpFault, end: Http2End = { kind: "aborted" }): void {
    this.#end ??= end;
    this.guard(() => {
      this.http2.lastGoaway();
      this.http2.disconnected(fault);
      this.#finish();
    });
  }

  createStream(id: number, host: StreamHost, sendBytes: number, receiveBytes: number): Http2Stream {
    return this.#owner.createStream(id, host, sendBytes, receiveBytes);
  }

  onData(chunk: Uint8Array, _lent: boolean): void {
    // Spelled out: a read should not make a closure.
    try {
      this.http2.receive(chunk, this.#clock.monotonicMs());
      this.#watch.onReceived();
    } catch (error) {
      this.onInternalError(error);
    }
  }

  onEnd(): void {
    this.#onTransportEnd("connection closed by the peer");
  }

  onDrain(): void {
    this.#blocked = false;
    this.flushNow();
  }

  onClosed(): void {
    this.#onTransportGone("connection closed");
  }

  onFault(fault: ChannelFault): void {
    this.#onTransportGone(fault.kind === "broken" ? `connection broke: ${fault.detail}` : "connection reset");
  }

  onCapacity(): void {
    this.#watch.onActive();
    this.#owner.onCapacity();
    if (this.#closing || this.http2.draining) this.#closeWhenDone(false);
  }

  onPong(): void {
    this.#watch.onPong();
  }

  onFailed(error: ConnectionError): void {
    this.#end ??= { kind: "failed", detail: `${errorCodeName(error.code)}: ${error.reason}` };
    this.#finish();
  }

  /** This program, or a callback of whoever uses it, failed on this connection: it is cut, the others go on. */
  onInternalError(error: unknown): void {
    const detail = `internal error: ${describeError(error)}`;
    this.#end ??= { kind: "failed", detail };
    try {
      this.http2.disconnected({ kind: "reset", detail });
    } catch (another) {
      this.#owner.onInternalError(another);
    }
    this.#cut("other-side-failed");
    this.#owner.onInternalError(error);
  }

  /** Frames of one turn of the event loop leave in one write: many streams, or the many small reads of one, share it. */
  onOutput(): void {
    if (this.#flushScheduled || this.#blocked || this.#finished) return;
    this.#flushScheduled = true;
    setImmediate(flushLater, this);
  }

  flushNow(): void {
    this.#flushScheduled = false;
    try {
      this.#flush();
      this.http2.pump();
      if (this.#closing || this.http2.draining) this.#closeWhenDone(false);
    } catch (error) {
      this.onInternalError(error);
    }
  }

  #flush(): void {
    const { outbox } = this.http2;
    while (!this.#blocked && !this.#finished) {
      const batch = outbox.take();
      if (batch === undefined) return;
      // Lent: the buffer serves another connection in a moment.
      this.#blocked = !this.#channel.write(batch.buffer.subarray(0, batch.length), true);
      outbox.giveBack(batch);
    }
  }

  /** Closes a draining connection once its last stream is gone and everything is written; `unnoticed`: the peer had its time. */
  #closeWhenDone(unnoticed: boolean): void {
    const { http2 } = this;
    if (http2.streams.size > 0 || http2.closed || this.#finished) return;
    // A request may be under way until the peer has seen the GOAWAY (RFC 9113 §6.8).
    if (this.#closing && http2.role === "server" && !http2.drainNoticed && !unnoticed) return;
    this.#closing = true;
    if (http2.outbox.heldBytes > 0 && !unnoticed) {
      this.onOutput();
      return;
    }
    this.#end ??= { kind: "closed" };
    http2.disconnected(CONNECTION_CLOSED);
    this.#finish();
  }

  /** Neither direction is left. */
  #onTransportGone(detail: string): void {
    this.#finished = true;
    this.http2.outbox.clear();
    this.#cancelTimers();
    this.#onTransportEnd(detail);
  }

  #onTransportEnd(detail: string): void {
    const idle = this.#closing || this.http2.streams.size === 0;
    this.#end ??= idle ? { kind: "closed" } : { kind: "failed", detail };
    this.guard(() => this.http2.disconnected({ kind: "reset", detail }));
    this.guard(() => this.#finish());
    this.#tellEnd();
  }

  /** Writes what waits, and nothing after it. */
  #finish(): void {
    if (this.#finished) {
      this.#tellEnd();
      return;
    }
    this.#flush();
    this.#finished = true;
    this.http2.outbox.clear();
    this.#cancelTimers();
    this.#channel.endWrite();
    this.#closer = this.#after(CLOSE_LINGER_MS, () => this.#cut("half-open"));
    this.#tellEnd();
  }

  #cut(reason: AbortReason): void {
    this.#finished = true;
    this.http2.outbox.clear();
    this.#cancelTimers();
    this.#channel.abort(reason);
    this.#tellEnd();
  }

  #tellEnd(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.guard(() => this.#owner.onEnd(this.#end ?? { kind: "closed" }));
  }

  guard(task: () => void): void {
    try {
      task();
    } catch (error) {
      this.onInternalError(error);
    }
  }

  #after(delayMs: number, task: () => void): Timer {
    return this.#clock.after(delayMs, () => this.guard(task));
  }

  #cancelTimers(): void {
    this.#watch.stop();
    this.#closer?.cancel();
  }
}

const flushLater = (connection: ChannelConnection): void => connection.flushNow();
