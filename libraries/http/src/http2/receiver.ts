/**
 * The receiving half of a connection: what each frame means in each state, and which fault is a stream's and which the
 * connection's (RFC 9113 §5.1, §5.4, §6).
 */

import {
  CLIENT_PREFACE,
  type ConnectionError,
  connectionError,
  ErrorCode,
  Flag,
  FrameType,
  MAX_WINDOW_BYTES,
} from "./constants.ts";
import { FloodGuard, type FloodKind, RAPID_RESET_MS } from "./flood-guard.ts";
import { FrameReader, type FrameSink } from "./frame-reader.ts";
import { closedStreamFault, HeadReceiver } from "./head-receiver.ts";
import { HeaderAssembly } from "./header-assembly.ts";
import type { ReceiverHost } from "./receiver-host.ts";
import { applySettings } from "./settings.ts";
import type { Http2Stream } from "./stream.ts";

type Fault = ConnectionError | undefined;

/** Padding and priority fields around a header fragment. */
const HEADER_FRAME_EXTRA_BYTES = 1 + 255 + 5;
/** Window updates beyond what was sent have no use: a receiver returns credit for what it got, once or twice for a frame. */
const UPDATES_PER_FRAME = 10;
/** And frames for streams that are over: a reset or an update of a careful client, once or twice for a stream. */
const FREE_LATE_FRAMES = 1000;
/** What is returned when the connection ended during a callback; nobody hears of it. */
const CLOSED = connectionError(ErrorCode.noError, "connection is closed");

export class Receiver implements FrameSink {
  readonly #connection: ReceiverHost;
  readonly #reader: FrameReader;
  readonly #headers: HeaderAssembly;
  readonly #heads: HeadReceiver;
  readonly #guard = new FloodGuard();
  /** Bytes of the client preface still to come (server). */
  #prefaceLeft: number;
  #settingsSeen = false;
  #nowMs = 0;
  /** Stream of the DATA frame that is being read; undefined when its bytes are thrown away. */
  #dataStream: Http2Stream | undefined;
  /** The current DATA frame has brought bytes; or broke a rule. */
  #dataBytes = 0;
  #dataViolates = false;
  #updates = 0;
  #lateResets = 0;

  constructor(connection: ReceiverHost) {
    this.#connection = connection;
    const { maxFrameBytes, maxHeaderListBytes } = connection.options;
    const maxHeaderFrameBytes = Math.min(maxFrameBytes, maxHeaderListBytes + HEADER_FRAME_EXTRA_BYTES);
    this.#reader = new FrameReader({ maxFrameBytes, maxHeaderFrameBytes }, this);
    this.#headers = new HeaderAssembly(maxHeaderListBytes);
    this.#heads = new HeadReceiver(connection, (kind) => this.#count(kind));
    this.#prefaceLeft = connection.role === "server" ? CLIENT_PREFACE.length : 0;
  }

  /** Nothing is begun that the peer should soon go on with. */
  get settled(): boolean {
    return this.#settingsSeen && this.#headers.openStreamId === 0 && this.#reader.betweenFrames;
  }

  receive(chunk: Uint8Array, nowMs: number): Fault {
    this.#nowMs = nowMs;
    let rest = chunk;
    if (this.#prefaceLeft > 0) {
      const take = Math.min(this.#prefaceLeft, chunk.length);
      const at = CLIENT_PREFACE.length - this.#prefaceLeft;
      for (let index = 0; index < take; index++) {
        if (chunk[index] !== CLIENT_PREFACE[at + index])
          return connectionError(ErrorCode.protocolError, "not an HTTP/2 client preface");
      }
      this.#prefaceLeft -= take;
      rest = chunk.subarray(take);
    }
    return this.#reader.push(rest);
  }

  onDataStart(streamId: number, flowBytes: number): Fault {
    const connection = this.#connection;
    this.#dataStream = undefined;
    this.#dataBytes = 0;
    this.#dataViolates = false;
    const order = this.#orderFault(FrameType.data, streamId, 0);
    if (order !== undefined) return order;
    if (streamId === 0) return connectionError(ErrorCode.protocolError, "DATA on stream 0");
    if (!connection.window.take(flowBytes))
      return connectionError(ErrorCode.flowControlError, "DATA exceeds the connection's window");
    const stream = connection.streams.get(streamId);
    if (stream === undefined) return closedStreamFault(connection, "DATA", streamId) ?? this.#count("noise");
    const code = dataFault(stream, flowBytes);
    if (code === undefined) {
      this.#dataStream = stream;
      return undefined;
    }
    stream.failWith(code, "DATA that may not come");
    return this.#count("refusedStream");
  }

  onDataPiece(piece: Uint8Array): void {
    this.#dataBytes += piece.length;
    if (this.#dataStream === undefined) this.#returnCredit(piece.length);
    else if (this.#dataStream.gone) this.#dataStream.returnCredit(piece.length);
    else if (!this.#dataStream.onPiece(piece)) this.#dataViolates = true;
  }

  onDataEnd(overheadBytes: number, endStream: boolean): Fault {
    const stream = this.#dataStream;
    this.#dataStream = undefined;
    if (overheadBytes > 0) {
      if (stream === undefined) this.#returnCredit(overheadBytes);
      else stream.returnCredit(overheadBytes);
    }
    if (endStream && stream !== undefined && !stream.gone && !stream.onRemoteEnd()) this.#dataViolates = true;
    if (this.#dataViolates) return this.#count("refusedStream");
    return this.#dataBytes === 0 && !endStream ? this.#count("noise") : undefined;
  }

  onUnknownFrame(): Fault {
    return this.#orderFault(-1, 0, 0) ?? this.#count("noise");
  }

  onFrame(type: number, flags: number, streamId: number, payload: Uint8Array): Fault {
    const order = this.#orderFault(type, streamId, flags);
    if (order !== undefined) return order;
    switch (type) {
      case FrameType.headers:
        if (streamId === 0) return connectionError(ErrorCode.protocolError, "HEADERS on stream 0");
        return this.#heads.receive(this.#headers.headers(streamId, flags, payload), this.#nowMs);
      case FrameType.continuation:
        return this.#heads.receive(this.#headers.continuation(streamId, flags, payload), this.#nowMs);
      case FrameType.priority:
        return this.#priority(streamId, payload);
      case FrameType.rstStream:
        return this.#rstStream(streamId, payload);
      case FrameType.settings:
        return this.#settings(flags, streamId, payload);
      case FrameType.ping:
        return this.#ping(flags, streamId, payload);
      case FrameType.goaway:
        return this.#goaway(streamId, payload);
      case FrameType.windowUpdate:
        return this.#windowUpdate(streamId, payload);
      default:
        return connectionError(ErrorCode.protocolError, "PUSH_PROMISE, which is disabled");
    }
  }

  /** SETTINGS comes first, and nothing comes between HEADERS and CONTINUATION. */
  #orderFault(type: number, streamId: number, flags: number): Fault {
    if (this.#connection.closed) return CLOSED;
    if (!this.#settingsSeen) {
      if (type !== FrameType.settings || (flags & Flag.ack) !== 0)
        return connectionError(ErrorCode.protocolError, "first frame is not SETTINGS");
      this.#settingsSeen = true;
    }
    const open = this.#headers.openStreamId;
    if (open === 0 || (type === FrameType.continuation && streamId === open)) return undefined;
    return connectionError(ErrorCode.protocolError, "frame inside an unfinished header block");
  }

  #priority(streamId: number, payload: Uint8Array): Fault {
    if (streamId === 0) return connectionError(ErrorCode.protocolError, "PRIORITY on stream 0");
    if (payload.length !== 5)
      return connectionError(ErrorCode.frameSizeError, "PRIORITY that is not 5 bytes");
    return this.#count("noise");
  }

  #rstStream(streamId: number, payload: Uint8Array): Fault {
    if (payload.length !== 4)
      return connectionError(ErrorCode.frameSizeError, "RST_STREAM that is not 4 bytes");
    if (streamId === 0 || this.#connection.numbers.isIdle(streamId))
      return connectionError(ErrorCode.protocolError, `RST_STREAM on idle stream ${streamId}`);
    const stream = this.#connection.streams.get(streamId);
    if (stream === undefined) return this.#lateReset();
    const rapid =
      this.#connection.role === "server" &&
      !stream.answered &&
      this.#nowMs - stream.requestedAtMs < RAPID_RESET_MS;
    stream.onPeerReset(readUint32(payload, 0));
    return rapid ? this.#count("rapidReset") : undefined;
  }

  #lateReset(): Fault {
    this.#lateResets++;
    if (this.#lateResets <= this.#connection.numbers.begun + FREE_LATE_FRAMES) return undefined;
    return this.#count("noise");
  }

  #settings(flags: number, streamId: number, payload: Uint8Array): Fault {
    if (streamId !== 0) return connectionError(ErrorCode.protocolError, "SETTINGS on a stream");
    if ((flags & Flag.ack) !== 0) {
      if (payload.length > 0)
        return connectionError(ErrorCode.frameSizeError, "SETTINGS acknowledgement with payload");
      return this.#count("settings");
    }
    const result = applySettings(this.#connection.peer, payload, this.#connection.role === "client");
    if (result.kind === "bad") return result.error;
    if (!this.#connection.applyPeerSettings(result.settings))
      return connectionError(ErrorCode.flowControlError, "SETTINGS overflow a stream's window");
    return this.#count("settings");
  }

  #ping(flags: number, streamId: number, payload: Uint8Array): Fault {
    if (streamId !== 0) return connectionError(ErrorCode.protocolError, "PING on a stream");
    if (payload.length !== 8) return connectionError(ErrorCode.frameSizeError, "PING that is not 8 bytes");
    if ((flags & Flag.ack) !== 0) this.#connection.onPong(payload);
    else this.#connection.writer.ping(payload, true);
    return this.#count("ping");
  }

  #goaway(streamId: number, payload: Uint8Array): Fault {
    if (streamId !== 0) return connectionError(ErrorCode.protocolError, "GOAWAY on a stream");
    if (payload.length < 8) return connectionError(ErrorCode.frameSizeError, "GOAWAY of less than 8 bytes");
    this.#connection.onPeerGoaway(readUint32(payload, 0) & MAX_WINDOW_BYTES, readUint32(payload, 4));
    return this.#count("settings");
  }

  #windowUpdate(streamId: number, payload: Uint8Array): Fault {
    if (payload.length !== 4)
      return connectionError(ErrorCode.frameSizeError, "WINDOW_UPDATE that is not 4 bytes");
    const connection = this.#connection;
    const bytes = readUint32(payload, 0) & MAX_WINDOW_BYTES;
    this.#updates++;
    if (this.#updates > UPDATES_PER_FRAME * connection.scheduler.frames + FREE_LATE_FRAMES) {
      const flood = this.#count("noise");
      if (flood !== undefined) return flood;
    }
    if (streamId === 0) {
      if (bytes === 0) return connectionError(ErrorCode.protocolError, "WINDOW_UPDATE of 0 bytes");
      if (!connection.scheduler.grow(bytes))
        return connectionError(ErrorCode.flowControlError, "connection window exceeds 2^31-1");
      connection.scheduler.pump();
      return undefined;
    }
    const stream = connection.streams.get(streamId);
    if (stream !== undefined) return this.#growStream(stream, bytes);
    return connection.numbers.isIdle(streamId)
      ? connectionError(ErrorCode.protocolError, `WINDOW_UPDATE on idle stream ${streamId}`)
      : undefined;
  }

  #growStream(stream: Http2Stream, bytes: number): Fault {
    stream.sendWindowBytes += bytes;
    if (bytes > 0 && stream.sendWindowBytes <= MAX_WINDOW_BYTES) {
      this.#connection.scheduler.wait(stream);
      this.#connection.scheduler.pump();
      return undefined;
    }
    const code = bytes === 0 ? ErrorCode.protocolError : ErrorCode.flowControlError;
    stream.failWith(code, `WINDOW_UPDATE of ${bytes} bytes`);
    return this.#count("refusedStream");
  }

  #returnCredit(bytes: number): void {
    const credit = this.#connection.window.consume(bytes);
    if (credit > 0) this.#connection.writer.windowUpdate(0, credit);
  }

  #count(kind: FloodKind): Fault {
    return this.#guard.count(kind, this.#nowMs);
  }
}

function dataFault(stream: Http2Stream, flowBytes: number): number | undefined {
  if (stream.remoteEnded) return ErrorCode.streamClosed;
  if (!stream.headReceived) return ErrorCode.protocolError;
  return stream.takeWindow(flowBytes) ? undefined : ErrorCode.flowControlError;
}

function readUint32(bytes: Uint8Array, at: number): number {
  return (
    (bytes[at] ?? 0) * 0x1_00_00_00 +
    (bytes[at + 1] ?? 0) * 65_536 +
    (bytes[at + 2] ?? 0) * 256 +
    (bytes[at + 3] ?? 0)
  );
}
