/** Drives one HTTP/2 connection over a verified TLS socket: reads, batched writes, keepalive, and one end for all causes. */
import type { TLSSocket } from "node:tls";
import {
  type Batch,
  type BatchBuffers,
  type ConnectionError,
  type ConnectionEvents,
  errorCodeName,
  Http2Connection,
  type Http2Role,
  type Http2Stream,
  Outbox,
  type StreamHost,
} from "@meltemi/http/http2-transport";
import { createReadBuffer, lendReads } from "@meltemi/l4";
import { type Clock, describeError, type OnInternalError, type Timer } from "@meltemi/runtime";
import type { HboneConnectionOwner, SessionEnd } from "./connection-owner.ts";
import type { HboneOptions } from "./options.ts";
import type { HbonePeer } from "./peer.ts";
import { type OnConnect, TunnelStream } from "./tunnel-stream.ts";

/** After the handshake. */
export interface SecuredSocket {
  readonly socket: TLSSocket;
  /** Beneath it is another tunnel and not TCP. */
  readonly nested: boolean;
}

export interface HboneConnectionDeps {
  readonly clock: Clock;
  readonly buffers: BatchBuffers;
  readonly onInternalError: OnInternalError;
}

/** Where a socket's shared reader finds its connection. */
const CONNECTION = Symbol("connection");
type ConnectionSocket = TLSSocket & { [CONNECTION]?: HboneConnection };

/** Decrypted bytes of all connections that lie on TCP: no read of one happens within a read of another. */
const READ_BUFFER = createReadBuffer();

/** A last GOAWAY may take this long to leave; a peer that does not read must not keep the socket. */
const CLOSE_LINGER_MS = 1000;

/** For the peer to answer the PING behind a GOAWAY: one that does not must not keep an idle connection for as long as a drain lasts. */
const NOTICE_MS = 5000;

export class HboneConnection implements ConnectionEvents {
  readonly http2: Http2Connection;
  readonly peer: HbonePeer;
  readonly #socket: TLSSocket;
  readonly #owner: HboneConnectionOwner;
  readonly #clock: Clock;
  readonly #report: OnInternalError;
  readonly #options: HboneOptions;
  /** The write under way. */
  #writing: Batch | undefined;
  #flushScheduled = false;
  /** What to do with the socket once the last words, which wait for the write under way, have left. */
  #ending: "end" | "cut" | undefined;
  #closing = false;
  /** Until the peer knows our GOAWAY it may have begun a stream, which it would lose (RFC 9113 §6.8). */
  #notice: Timer | undefined;
  #keepalive: Timer | undefined;
  #linger: Timer | undefined;
  #end: SessionEnd | undefined;
  readonly #onConnect: OnConnect = (stream, authority, headers) =>
    this.#owner.onRequest(this, stream, authority, headers);
  readonly #onWritten = (): void => this.#written();

  constructor(
    role: Http2Role,
    { socket, nested }: SecuredSocket,
    peer: HbonePeer,
    options: HboneOptions,
    owner: HboneConnectionOwner,
    deps: HboneConnectionDeps,
  ) {
    this.peer = peer;
    this.#socket = socket;
    this.#owner = owner;
    this.#clock = deps.clock;
    this.#report = deps.onInternalError;
    this.#options = options;
    this.http2 = new Http2Connection(role, options, new Outbox(deps.buffers), this);
    // A tunnel within a tunnel reads during a read of the outer one, which must not lose its buffer to it.
    if (!nested) {
      (socket as ConnectionSocket)[CONNECTION] = this;
      lendReads(socket, READ_BUFFER, onLent);
    }
    socket.on("data", (chunk: Buffer) => this.receive(chunk));
    socket.on("end", () => this.#guard(() => this.#onTransportEnd("connection closed by the peer")));
    socket.on("error", (error) =>
      this.#guard(() => this.#onTransportEnd(`connection broke: ${error.message}`)),
    );
    socket.on("close", () => this.#onSocketClose());
  }

  receive(chunk: Uint8Array): void {
    // Spelled out here: a read should not make a closure.
    try {
      this.http2.receive(chunk, this.#clock.monotonicMs());
    } catch (error) {
      this.onInternalError(error);
    }
  }

  start(): void {
    this.#guard(() => {
      this.http2.start();
      this.#armKeepalive();
    });
  }

  get streams(): number {
    return this.http2.streams.size;
  }

  /** Lets streams finish and then closes; the peer is asked to open no more. */
  drain(): void {
    if (this.#closing) return;
    this.#closing = true;
    this.#guard(() => {
      if (this.http2.role === "server" && !this.http2.closed) {
        this.http2.goaway();
        this.#notice = this.#clock.after(NOTICE_MS, () => this.#guard(() => this.#noticed()));
      }
      this.#closeWhenDone();
    });
  }

  /** Cuts everything now; a GOAWAY is tried. */
  abort(detail: string): void {
    this.#end ??= { kind: "aborted" };
    this.#guard(() => {
      this.http2.lastGoaway();
      this.http2.disconnected({ kind: "reset", detail });
      this.#endAfterOutput("cut");
    });
  }

  /** This program, or a callback of whoever uses it, failed on this connection: it is cut, the others go on. */
  onInternalError(error: unknown): void {
    this.#end ??= { kind: "failed", detail: `internal error: ${describeError(error)}` };
    this.#socket.destroy();
    this.#report(error);
  }

  createStream(id: number, host: StreamHost, sendBytes: number, receiveBytes: number): Http2Stream {
    return new TunnelStream(id, host, sendBytes, receiveBytes, this.#onConnect);
  }

  onCapacity(): void {
    this.#owner.onCapacity(this);
    if (this.#notice !== undefined && this.http2.drainNoticed) this.#noticed();
    else if (this.#closing || this.http2.draining) this.#closeWhenDone();
  }

  onPong(): void {
    this.#armKeepalive();
  }

  onFailed(error: ConnectionError): void {
    this.#end ??= { kind: "failed", detail: `${errorCodeName(error.code)}: ${error.reason}` };
    this.#endAfterOutput("end");
  }

  /**
   * Frames of one turn of the event loop leave in one TLS write: many streams, or the many small reads of one, then share
   * records and system calls.
   */
  onOutput(): void {
    if (this.#flushScheduled || this.#writing !== undefined) return;
    this.#flushScheduled = true;
    setImmediate(flush, this);
  }

  static flush(connection: HboneConnection): void {
    connection.#flushScheduled = false;
    try {
      connection.#flush();
    } catch (error) {
      connection.onInternalError(error);
    }
  }

  #flush(): void {
    if (this.#writing !== undefined) return;
    const batch = this.http2.outbox.take();
    if (batch === undefined) return;
    this.#writing = batch;
    this.#socket.write(batch.buffer.subarray(0, batch.length), this.#onWritten);
  }

  #written(): void {
    const batch = this.#writing;
    this.#writing = undefined;
    try {
      if (batch !== undefined) this.http2.outbox.giveBack(batch);
      this.http2.pump();
      this.#flush();
      if (this.#ending !== undefined) this.#endAfterOutput(this.#ending);
      else if (this.#closing) this.#closeWhenDone();
    } catch (error) {
      this.onInternalError(error);
    }
  }

  #guard(task: () => void): void {
    try {
      task();
    } catch (error) {
      this.onInternalError(error);
    }
  }

  #noticed(): void {
    this.#notice?.cancel();
    this.#notice = undefined;
    this.#closeWhenDone();
  }

  /** Closes a draining connection once its last stream is gone, everything is written, and the peer knows. */
  #closeWhenDone(): void {
    const { http2 } = this;
    if (http2.streams.size > 0 || http2.closed || this.#notice !== undefined) return;
    this.#closing = true;
    if (http2.outbox.heldBytes > 0) {
      this.#flush();
      return;
    }
    this.#end ??= { kind: "closed" };
    http2.disconnected({ kind: "reset", detail: "connection drained" });
    this.#socket.end();
    this.#lingerThenDestroy();
  }

  /** A socket that is ended takes no further write: a GOAWAY behind the write under way would be lost. */
  #endAfterOutput(how: "end" | "cut"): void {
    this.#flush();
    this.#lingerThenDestroy();
    const isAllWritten = this.http2.outbox.heldBytes === (this.#writing?.length ?? 0);
    this.#ending = isAllWritten ? undefined : how;
    if (!isAllWritten) return;
    if (how === "end") this.#socket.end();
    else this.#socket.destroySoon();
  }

  #onTransportEnd(detail: string): void {
    const clean = this.#closing || this.http2.streams.size === 0;
    this.#end ??= clean ? { kind: "closed" } : { kind: "failed", detail };
    this.http2.disconnected({ kind: "reset", detail });
    this.#socket.destroy();
  }

  #onSocketClose(): void {
    this.#keepalive?.cancel();
    this.#linger?.cancel();
    this.#notice?.cancel();
    this.#guard(() => this.http2.disconnected({ kind: "reset", detail: "connection closed" }));
    this.http2.outbox.clear();
    this.#guard(() => this.#owner.onEnd(this, this.#end ?? { kind: "closed" }));
  }

  #armKeepalive(): void {
    this.#keepalive?.cancel();
    this.#keepalive = this.#clock.after(this.#options.keepaliveIntervalMs, () =>
      this.#guard(() => this.#probe()),
    );
  }

  #probe(): void {
    this.http2.ping();
    this.#keepalive = this.#clock.after(this.#options.keepaliveTimeoutMs, () => {
      this.#end ??= { kind: "failed", detail: "keepalive: peer did not answer a PING in time" };
      this.abort("keepalive: peer did not answer a PING in time");
    });
  }

  #lingerThenDestroy(): void {
    this.#keepalive?.cancel();
    this.#linger ??= this.#clock.after(CLOSE_LINGER_MS, () => this.#socket.destroy());
  }
}

const flush = (connection: HboneConnection): void => HboneConnection.flush(connection);

function onLent(this: ConnectionSocket, length: number, buffer: Uint8Array): true {
  this[CONNECTION]?.receive(buffer.subarray(0, length));
  return true;
}
