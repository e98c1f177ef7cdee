/**
 * One HTTP/2 connection, without IO: bytes go in through {@link Http2Connection.receive} and come out through its outbox. No input
 * makes it throw; a violation ends it with GOAWAY and `onFailed`. RFC 9113. What its streams carry it does not know.
 */

import type { HttpFault } from "../exchange.ts";
import { HpackEncoder } from "../hpack/encoder.ts";
import {
  type ConnectionError,
  DEFAULT_WINDOW_BYTES,
  ErrorCode,
  errorCodeName,
  MAX_STREAM_ID,
  MAX_WINDOW_BYTES,
} from "./constants.ts";
import { FrameWriter } from "./frame-writer.ts";
import type { Http2Options } from "./options.ts";
import type { Outbox } from "./outbox.ts";
import { ReceiveWindow } from "./receive-window.ts";
import { Receiver } from "./receiver.ts";
import type { ConnectionEvents, Http2Role, ReceiverHost } from "./receiver-host.ts";
import { CONNECTION_SEND_BYTES, type Sender, SendScheduler } from "./send-scheduler.ts";
import { announcedSettings, INITIAL_PEER_SETTINGS, type PeerSettings } from "./settings.ts";
import { SettleQueue } from "./settle-queue.ts";
import type { Http2Stream } from "./stream.ts";
import type { StreamHost } from "./stream-host.ts";
import { StreamNumbers } from "./stream-numbers.ts";
import { StreamTable } from "./stream-table.ts";

/** Replies to control frames may exceed the outbox's bound by this much; a peer that makes us talk without listening is cut. */
const CONTROL_BACKLOG_BYTES = 256 * 1024;
const KEEPALIVE_OPAQUE: Uint8Array = Buffer.from("keepaliv");
const DRAIN_OPAQUE: Uint8Array = Buffer.from("draining");
const NOTHING = new Uint8Array(0);

export class Http2Connection implements StreamHost, ReceiverHost {
  readonly role: Http2Role;
  readonly outbox: Outbox;
  readonly streams: StreamTable = new StreamTable();
  readonly numbers: StreamNumbers;
  readonly writer: FrameWriter;
  readonly scheduler: SendScheduler;
  readonly encoder: HpackEncoder = new HpackEncoder();
  readonly options: Http2Options;
  readonly window: ReceiveWindow;
  peer: PeerSettings = INITIAL_PEER_SETTINGS;
  /** Set once by the first violation or by {@link disconnected}; nothing happens afterwards. */
  closed = false;
  /** The peer said GOAWAY, or our stream numbers are used up. */
  draining = false;
  readonly #events: ConnectionEvents;
  readonly #receiver: Receiver;
  readonly #settling: SettleQueue;

  constructor(role: Http2Role, options: Http2Options, outbox: Outbox, events: ConnectionEvents) {
    this.role = role;
    this.options = options;
    this.outbox = outbox;
    this.numbers = new StreamNumbers(role);
    this.#events = events;
    this.#settling = new SettleQueue((error) => events.onInternalError(error));
    this.writer = new FrameWriter(outbox);
    this.scheduler = new SendScheduler(outbox, this.writer);
    this.window = new ReceiveWindow(Math.max(DEFAULT_WINDOW_BYTES, options.connectionWindowBytes));
    this.#receiver = new Receiver(this);
  }

  /** Queues preface, SETTINGS and the connection window. `extendedConnect`: CONNECT with `:protocol` is served (RFC 8441). */
  start(extendedConnect = false): void {
    const { options, writer } = this;
    if (this.role === "client") writer.preface();
    writer.settings(announcedSettings(options, this.role, extendedConnect));
    const growthBytes = options.connectionWindowBytes - DEFAULT_WINDOW_BYTES;
    if (growthBytes > 0) writer.windowUpdate(0, growthBytes);
    this.#events.onOutput();
  }

  /** Bytes from the peer; `chunk` is not kept. `nowMs` is any monotonic time. */
  receive(chunk: Uint8Array, nowMs: number): void {
    if (this.closed) return;
    this.#settling.held = true;
    let error: ConnectionError | undefined;
    try {
      error = this.#receiver.receive(chunk, nowMs) ?? this.#backlogFault();
    } finally {
      this.#settling.held = false;
    }
    this.#settling.run();
    if (error !== undefined) this.fail(error);
    else if (this.outbox.heldBytes > 0) this.#events.onOutput();
  }

  /** False while the peer has begun something, the connection itself or a header block, that it must soon go on with. */
  get settled(): boolean {
    return this.#receiver.settled;
  }

  /** The outbox has room again. */
  pump(): void {
    if (this.closed) return;
    this.scheduler.pump();
    if (this.outbox.heldBytes > 0) this.#events.onOutput();
  }

  /** Asks for an answer to {@link ConnectionEvents.onPong}. */
  ping(): void {
    this.#ping(KEEPALIVE_OPAQUE);
  }

  onPong(opaque: Uint8Array): void {
    if (Buffer.compare(opaque, KEEPALIVE_OPAQUE) === 0) this.#events.onPong();
    if (Buffer.compare(opaque, DRAIN_OPAQUE) !== 0 || this.drainNoticed) return;
    // One round trip after the first GOAWAY no new stream can be under way (RFC 9113 §6.8).
    this.numbers.lastServed = this.numbers.lastOfPeer;
    this.writer.goaway(this.numbers.lastOfPeer, ErrorCode.noError);
    this.#events.onCapacity();
  }

  /** Asks the peer to open no more streams; those under way go on. */
  goaway(): void {
    if (this.closed) return;
    this.writer.goaway(MAX_STREAM_ID, ErrorCode.noError);
    this.#ping(DRAIN_OPAQUE);
  }

  /** Tells the peer that this is the end, just before the transport is given up. */
  lastGoaway(): void {
    if (!this.closed) this.writer.goaway(this.numbers.lastOfPeer, ErrorCode.noError);
  }

  /** The peer knows our GOAWAY, and has been told the last stream that is served. */
  get drainNoticed(): boolean {
    return this.numbers.lastServed !== MAX_STREAM_ID;
  }

  /** How many more streams may be opened (client). */
  get capacity(): number {
    if (this.closed || this.draining) return 0;
    return Math.max(0, Math.min(this.options.maxStreams, this.peer.maxConcurrentStreams) - this.streams.size);
  }

  /** Number for a stream that this side opens next (client): make the stream, {@link adopt} it, send its head at once. */
  takeStreamId(): number {
    const id = this.numbers.take();
    if (this.numbers.usedUp) this.draining = true;
    return id;
  }

  adopt(stream: Http2Stream): void {
    this.streams.add(stream);
  }

  /** Receive window of a new stream: until our SETTINGS arrive the peer goes by the default one. */
  get streamWindowBytes(): number {
    return Math.max(DEFAULT_WINDOW_BYTES, this.options.streamWindowBytes);
  }

  acceptStream(id: number, nowMs: number): Http2Stream {
    this.numbers.lastOfPeer = id;
    const stream = this.#events.createStream(id, this, this.peer.initialWindowBytes, this.streamWindowBytes);
    stream.requestedAtMs = nowMs;
    this.streams.add(stream);
    return stream;
  }

  refuseStream(streamId: number): void {
    this.numbers.lastOfPeer = streamId;
    this.numbers.addReset(streamId);
    this.writer.rstStream(streamId, ErrorCode.refusedStream);
  }

  applyPeerSettings(settings: PeerSettings): boolean {
    const growth = settings.initialWindowBytes - this.peer.initialWindowBytes;
    this.peer = settings;
    this.scheduler.peerFrameBytes = settings.maxFrameBytes;
    this.encoder.limitTable(settings.headerTableBytes);
    this.writer.settingsAck();
    for (const stream of this.streams.all()) {
      stream.sendWindowBytes += growth;
      if (stream.sendWindowBytes > MAX_WINDOW_BYTES) return false;
      this.scheduler.wait(stream);
    }
    this.scheduler.pump();
    this.#events.onCapacity();
    return true;
  }

  onPeerGoaway(lastStreamId: number, code: number): void {
    this.draining = true;
    const detail = `peer said GOAWAY ${errorCodeName(code)} before it looked at this request`;
    for (const stream of this.streams.all()) {
      const unseen = this.role === "client" && stream.id > lastStreamId;
      if (unseen) stream.onFault({ kind: "refused", detail });
    }
    this.#events.onCapacity();
  }

  /** Ends everything because of a violation. */
  fail(error: ConnectionError): void {
    if (this.closed) return;
    this.writer.goaway(this.numbers.lastOfPeer, error.code);
    const detail = `peer violated HTTP/2: ${errorCodeName(error.code)}: ${error.reason}`;
    this.disconnected({ kind: "protocol", detail });
    this.#events.onFailed(error);
  }

  /** The transport is gone, or is about to be: tells all streams. */
  disconnected(fault: HttpFault): void {
    if (this.closed) return;
    this.closed = true;
    const errors: unknown[] = [];
    for (const stream of this.streams.all()) {
      try {
        stream.onFault(fault);
      } catch (error) {
        errors.push(error);
      }
    }
    this.streams.clear();
    // Thrown once all are told: the user of one stream must not keep the news from the others.
    if (errors.length > 0) throw errors[0];
  }

  sendNow(stream: Sender, chunk: Uint8Array): number {
    if (this.closed) return chunk.length;
    const sent = this.scheduler.sendNow(stream, chunk);
    if (sent > 0) this.#events.onOutput();
    return sent;
  }

  get full(): boolean {
    return this.scheduler.full;
  }

  wait(stream: Sender): void {
    this.scheduler.wait(stream);
  }

  sendEnd(stream: Sender): void {
    if (this.closed) return;
    this.writer.data(stream.id, NOTHING, true);
    this.#events.onOutput();
  }

  sendBlock(stream: Http2Stream, block: Uint8Array, endStream: boolean): void {
    if (this.closed) return;
    this.writer.headers(stream.id, block, endStream, this.scheduler.peerFrameBytes);
    this.#events.onOutput();
  }

  sendReset(stream: Http2Stream, code: number): void {
    if (this.closed) return;
    this.numbers.addReset(stream.id);
    this.writer.rstStream(stream.id, code);
    this.#events.onOutput();
  }

  consumed(stream: Http2Stream, bytes: number, streamCredit: number): void {
    if (this.closed) return;
    if (streamCredit > 0) this.writer.windowUpdate(stream.id, streamCredit);
    const credit = this.window.consume(bytes);
    if (credit > 0) this.writer.windowUpdate(0, credit);
    if (streamCredit > 0 || credit > 0) this.#events.onOutput();
  }

  settleSoon(stream: Http2Stream): void {
    this.#settling.add(stream);
  }

  release(stream: Http2Stream): void {
    if (this.streams.delete(stream.id)) this.#events.onCapacity();
  }

  #ping(opaque: Uint8Array): void {
    if (this.closed) return;
    this.writer.ping(opaque, false);
    this.#events.onOutput();
  }

  #backlogFault(): ConnectionError | undefined {
    if (this.outbox.heldBytes <= CONNECTION_SEND_BYTES + CONTROL_BACKLOG_BYTES) return undefined;
    return { code: ErrorCode.enhanceYourCalm, reason: "peer causes replies that it does not read" };
  }
}
