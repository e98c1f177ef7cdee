/**
 * One HTTP/2 connection that carries CONNECT streams, without IO: bytes go in through {@link Http2Connection.receive} and come
 * out through its outbox. No input makes it throw; a violation ends it with GOAWAY and `onFailed`. RFC 9113; figures of
 * protocol §1.6.
 */

import type { HeaderFields } from "../headers.ts";
import { HpackEncoder } from "../hpack/encoder.ts";
import { fieldBytes } from "../hpack/static-table.ts";
import type { HboneOptions } from "../options.ts";
import {
  type ConnectionError,
  DEFAULT_WINDOW_BYTES,
  ErrorCode,
  errorCodeName,
  MAX_STREAM_ID,
  MAX_WINDOW_BYTES,
  Setting,
} from "./constants.ts";
import { FrameWriter } from "./frame-writer.ts";
import type { Outbox } from "./outbox.ts";
import { ReceiveWindow } from "./receive-window.ts";
import { Receiver } from "./receiver.ts";
import type { ConnectionEvents, Http2Role, ReceiverHost } from "./receiver-host.ts";
import { CONNECTION_SEND_BYTES, SendScheduler } from "./send-scheduler.ts";
import { INITIAL_PEER_SETTINGS, type PeerSettings } from "./settings.ts";
import { Http2Stream, type StreamHost, type StreamWatcher } from "./stream.ts";

/** Streams that we reset of late, for which frames may still be under way. */
const REMEMBERED_RESETS = 1024;
/** Replies to control frames may exceed the outbox's bound by this much; a peer that makes us talk without listening is cut. */
const CONTROL_BACKLOG_BYTES = 256 * 1024;
const KEEPALIVE_OPAQUE: Uint8Array = Buffer.from("keepaliv");
const DRAIN_OPAQUE: Uint8Array = Buffer.from("draining");

export class Http2Connection implements StreamHost, ReceiverHost {
  readonly role: Http2Role;
  readonly outbox: Outbox;
  readonly streams: Map<number, Http2Stream> = new Map();
  readonly writer: FrameWriter;
  readonly scheduler: SendScheduler;
  readonly events: ConnectionEvents;
  readonly options: HboneOptions;
  peer: PeerSettings = INITIAL_PEER_SETTINGS;
  /** Set once by the first violation or by {@link disconnected}; nothing happens afterwards. */
  closed = false;
  /** Highest stream that the peer began (server). */
  lastPeerStreamId = 0;
  /** Our GOAWAY's last stream; the peer's newer ones are ignored. */
  lastServedStreamId: number = MAX_STREAM_ID;
  /** The peer said GOAWAY, or our stream numbers are used up. */
  draining = false;
  readonly window: ReceiveWindow;
  readonly #receiver: Receiver;
  readonly #encoder = new HpackEncoder();
  readonly #resets = new Set<number>();
  #nextStreamId = 1;

  constructor(role: Http2Role, options: HboneOptions, outbox: Outbox, events: ConnectionEvents) {
    this.role = role;
    this.options = options;
    this.outbox = outbox;
    this.events = events;
    this.writer = new FrameWriter(outbox);
    this.scheduler = new SendScheduler(outbox, this.writer);
    this.window = new ReceiveWindow(Math.max(DEFAULT_WINDOW_BYTES, options.connectionWindowBytes));
    this.#receiver = new Receiver(this);
  }

  /** Queues preface, SETTINGS and the connection window. */
  start(): void {
    const { options, writer } = this;
    if (this.role === "client") writer.preface();
    const settings: [number, number][] = [
      [Setting.initialWindowSize, options.streamWindowBytes],
      [Setting.maxFrameSize, options.maxFrameBytes],
      [Setting.maxHeaderListSize, options.maxHeaderListBytes],
    ];
    if (this.role === "client") settings.unshift([Setting.enablePush, 0]);
    else settings.unshift([Setting.maxConcurrentStreams, options.maxStreams]);
    writer.settings(settings);
    const growth = options.connectionWindowBytes - DEFAULT_WINDOW_BYTES;
    if (growth > 0) writer.windowUpdate(0, growth);
    this.events.onOutput();
  }

  /** Bytes from the peer; `chunk` is not kept. `nowMs` is any monotonic time. */
  receive(chunk: Uint8Array, nowMs: number): void {
    if (this.closed) return;
    const error = this.#receiver.receive(chunk, nowMs) ?? this.#backlogFault();
    if (error !== undefined) this.fail(error);
    else if (this.outbox.heldBytes > 0) this.events.onOutput();
  }

  /** The outbox has room again. */
  pump(): void {
    if (this.closed) return;
    this.scheduler.pump();
    if (this.outbox.heldBytes > 0) this.events.onOutput();
  }

  /** Asks for an answer to {@link ConnectionEvents.onPong}. */
  ping(): void {
    this.#ping(KEEPALIVE_OPAQUE);
  }

  onPong(opaque: Uint8Array): void {
    if (same(opaque, KEEPALIVE_OPAQUE)) this.events.onPong();
    if (!same(opaque, DRAIN_OPAQUE) || this.lastServedStreamId !== MAX_STREAM_ID) return;
    // One round trip after the first GOAWAY no new stream can be under way (RFC 9113 §6.8).
    this.lastServedStreamId = this.lastPeerStreamId;
    this.writer.goaway(this.lastPeerStreamId, ErrorCode.noError);
  }

  /** Asks the peer to open no more streams; those under way go on. */
  goaway(): void {
    if (this.closed) return;
    this.writer.goaway(MAX_STREAM_ID, ErrorCode.noError);
    this.#ping(DRAIN_OPAQUE);
  }

  /** True when a new stream may be opened (client). */
  get hasCapacity(): boolean {
    const limit = Math.min(this.options.maxStreams, this.peer.maxConcurrentStreams);
    return !this.closed && !this.draining && this.streams.size < limit;
  }

  /** Sends a request (client); undefined when the peer would not take these headers or this stream. */
  openStream(fields: HeaderFields, watcher: StreamWatcher): Http2Stream | undefined {
    const listBytes = fields.reduce((sum, field) => sum + fieldBytes(field), 0);
    if (this.closed || this.draining || listBytes > this.peer.maxHeaderListBytes) return undefined;
    const stream = this.addStream(this.#nextStreamId);
    stream.watcher = watcher;
    this.#nextStreamId += 2;
    if (this.#nextStreamId > MAX_STREAM_ID) this.draining = true;
    this.sendHeaders(stream, fields, false);
    return stream;
  }

  addStream(id: number): Http2Stream {
    // Until our SETTINGS arrive the peer goes by the default window.
    const receiveBytes = Math.max(DEFAULT_WINDOW_BYTES, this.options.streamWindowBytes);
    const stream = new Http2Stream(id, this, this.peer.initialWindowBytes, receiveBytes);
    this.streams.set(id, stream);
    return stream;
  }

  /** Begun by the peer after it could have known our GOAWAY's last stream: whatever comes on it is thrown away (RFC 9113 §6.8). */
  isIgnored(streamId: number): boolean {
    return this.role === "server" && streamId % 2 === 1 && streamId > this.lastServedStreamId;
  }

  /** A stream that nobody has begun yet. */
  isIdle(streamId: number): boolean {
    const ours = this.role === "client" ? streamId % 2 === 1 : streamId % 2 === 0;
    if (ours) return this.role === "server" || streamId >= this.#nextStreamId;
    return streamId > this.lastPeerStreamId && !this.isIgnored(streamId);
  }

  /** Frames for it may still be under way, so they are no violation. */
  wasReset(streamId: number): boolean {
    return this.#resets.has(streamId) || this.isIgnored(streamId);
  }

  applyPeerSettings(settings: PeerSettings): boolean {
    const growth = settings.initialWindowBytes - this.peer.initialWindowBytes;
    this.peer = settings;
    this.scheduler.peerFrameBytes = settings.maxFrameBytes;
    this.#encoder.limitTable(settings.headerTableBytes);
    this.writer.settingsAck();
    for (const stream of this.streams.values()) {
      stream.sendWindowBytes += growth;
      if (stream.sendWindowBytes > MAX_WINDOW_BYTES) return false;
      this.scheduler.wait(stream);
    }
    this.scheduler.pump();
    this.events.onCapacity();
    return true;
  }

  /** The peer's GOAWAY: streams above `lastStreamId` were never looked at. */
  onPeerGoaway(lastStreamId: number): void {
    this.draining = true;
    for (const stream of [...this.streams.values()]) {
      const unseen = this.role === "client" && stream.id > lastStreamId;
      if (unseen) stream.onFault({ kind: "reset", http2Code: ErrorCode.refusedStream });
    }
    this.events.onCapacity();
  }

  /** Ends everything because of a violation. */
  fail(error: ConnectionError): void {
    if (this.closed) return;
    this.writer.goaway(this.lastPeerStreamId, error.code);
    this.disconnected(`${errorCodeName(error.code)}: ${error.reason}`);
    this.events.onFailed(error);
  }

  /** The transport is gone, or is about to be: tells all streams. */
  disconnected(detail: string): void {
    if (this.closed) return;
    this.closed = true;
    const errors: unknown[] = [];
    for (const stream of [...this.streams.values()]) {
      try {
        stream.onFault({ kind: "broken", detail });
      } catch (error) {
        errors.push(error);
      }
    }
    this.streams.clear();
    // Thrown once all are told: the user of one stream must not keep the news from the others.
    if (errors.length > 0) throw errors[0];
  }

  sendNow(stream: Http2Stream, chunk: Uint8Array): number {
    const sent = this.scheduler.sendNow(stream, chunk);
    if (sent > 0) this.events.onOutput();
    return sent;
  }

  get full(): boolean {
    return this.scheduler.full;
  }

  wait(stream: Http2Stream): void {
    this.scheduler.wait(stream);
  }

  sendEnd(stream: Http2Stream): void {
    this.writer.data(stream.id, NOTHING, true);
    this.events.onOutput();
  }

  sendHeaders(stream: Http2Stream, fields: HeaderFields, endStream: boolean): void {
    if (this.closed) return;
    this.writer.headers(stream.id, this.#encoder.encode(fields), endStream, this.peer.maxFrameBytes);
    this.events.onOutput();
  }

  sendReset(stream: Http2Stream, code: number): void {
    if (this.closed) return;
    this.rememberReset(stream.id);
    this.writer.rstStream(stream.id, code);
    this.events.onOutput();
  }

  rememberReset(streamId: number): void {
    this.#resets.add(streamId);
    if (this.#resets.size <= REMEMBERED_RESETS) return;
    const [oldest] = this.#resets;
    if (oldest !== undefined) this.#resets.delete(oldest);
  }

  consumed(stream: Http2Stream, bytes: number, streamCredit: number): void {
    if (this.closed) return;
    if (streamCredit > 0) this.writer.windowUpdate(stream.id, streamCredit);
    const credit = this.window.consume(bytes);
    if (credit > 0) this.writer.windowUpdate(0, credit);
    if (streamCredit > 0 || credit > 0) this.events.onOutput();
  }

  onInternalError(error: unknown): void {
    this.events.onInternalError(error);
  }

  release(stream: Http2Stream): void {
    if (this.streams.delete(stream.id)) this.events.onCapacity();
  }

  #ping(opaque: Uint8Array): void {
    if (this.closed) return;
    this.writer.ping(opaque, false);
    this.events.onOutput();
  }

  #backlogFault(): ConnectionError | undefined {
    if (this.outbox.heldBytes <= CONNECTION_SEND_BYTES + CONTROL_BACKLOG_BYTES) return undefined;
    return { code: ErrorCode.enhanceYourCalm, reason: "peer causes replies that it does not read" };
  }
}

const NOTHING = new Uint8Array(0);

function same(a: Uint8Array, b: Uint8Array): boolean {
  return a.every((value, index) => value === b[index]);
}
