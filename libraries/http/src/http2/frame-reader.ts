/**
 * Cuts a byte stream into HTTP/2 frames (RFC 9113 §4). DATA goes on in the pieces it arrives in, without waiting for the whole
 * frame; every other frame is gathered, and is refused before it is gathered when it is longer than it may be.
 */
import {
  type ConnectionError,
  connectionError,
  ErrorCode,
  Flag,
  FRAME_HEADER_BYTES,
  FrameType,
} from "./constants.ts";

/** Receives frames. What a method returns ends the connection. Payloads and pieces are views that are valid during the call only. */
export interface FrameSink {
  /** A DATA frame begins; `flowBytes` is its whole payload, padding included. */
  onDataStart(streamId: number, flowBytes: number): ConnectionError | undefined;
  onDataPiece(piece: Uint8Array): void;
  /** `overheadBytes` is the padding with its length octet. */
  onDataEnd(overheadBytes: number, endStream: boolean): ConnectionError | undefined;
  onFrame(type: number, flags: number, streamId: number, payload: Uint8Array): ConnectionError | undefined;
  /** A frame of a type we do not know passed by; its payload is skipped. */
  onUnknownFrame(): ConnectionError | undefined;
}

export interface FrameLimits {
  /** SETTINGS_MAX_FRAME_SIZE that we announced. */
  readonly maxFrameBytes: number;
  /** Longest HEADERS or CONTINUATION payload: more is a header flood. */
  readonly maxHeaderFrameBytes: number;
}

/** SETTINGS of more than 100 entries, and GOAWAY with an essay, have no honest use. */
const MAX_CONTROL_FRAME_BYTES = 1024;
const MAX_GOAWAY_BYTES = 16_384;

const STAGE = { header: 0, padLength: 1, data: 2, padding: 3, gather: 4, skip: 5 } as const;
type Stage = (typeof STAGE)[keyof typeof STAGE];

export class FrameReader {
  readonly #limits: FrameLimits;
  readonly #sink: FrameSink;
  readonly #header = new Uint8Array(FRAME_HEADER_BYTES);
  #stage: Stage = STAGE.header;
  /** Bytes of the current stage that are still to come. */
  #missing = FRAME_HEADER_BYTES;
  #type = 0;
  #flags = 0;
  #streamId = 0;
  #paddingBytes = 0;
  /** Whole payload of the current DATA frame. */
  #dataBytes = 0;
  /** Payload of a gathered frame that came in parts; empty otherwise. */
  #gathered: Uint8Array | undefined;

  constructor(limits: FrameLimits, sink: FrameSink) {
    this.#limits = limits;
    this.#sink = sink;
  }

  /** No frame is begun, or one of DATA, whose bytes are handed on as they come. */
  get betweenFrames(): boolean {
    if (this.#stage === STAGE.header) return this.#missing === FRAME_HEADER_BYTES;
    return this.#stage === STAGE.data || this.#stage === STAGE.padding;
  }

  /** Takes all of `chunk`. */
  push(chunk: Uint8Array): ConnectionError | undefined {
    let at = 0;
    while (at < chunk.length) {
      const take = Math.min(this.#missing, chunk.length - at);
      const error = this.#take(chunk, at, take);
      if (error !== undefined) return error;
      at += take;
    }
    return undefined;
  }

  #take(chunk: Uint8Array, at: number, take: number): ConnectionError | undefined {
    const before = this.#missing;
    this.#missing -= take;
    switch (this.#stage) {
      case STAGE.header:
        return this.#takeHeader(chunk, at, take, before);
      case STAGE.padLength:
        return this.#takePadLength(chunk[at] ?? 0);
      case STAGE.data:
        this.#sink.onDataPiece(chunk.subarray(at, at + take));
        return this.#missing === 0 ? this.#enterPadding() : undefined;
      case STAGE.padding:
        return this.#missing === 0 ? this.#endData() : undefined;
      case STAGE.gather:
        return this.#takeGathered(chunk, at, take);
      case STAGE.skip:
        if (this.#missing === 0) this.#enterHeader();
        return undefined;
    }
  }

  #takeHeader(chunk: Uint8Array, at: number, take: number, before: number): ConnectionError | undefined {
    if (take === FRAME_HEADER_BYTES) return this.#startFrame(chunk, at);
    for (let index = 0; index < take; index++) {
      this.#header[FRAME_HEADER_BYTES - before + index] = chunk[at + index] ?? 0;
    }
    return this.#missing > 0 ? undefined : this.#startFrame(this.#header, 0);
  }

  #startFrame(header: Uint8Array, at: number): ConnectionError | undefined {
    const length = byte(header, at) * 65_536 + byte(header, at + 1) * 256 + byte(header, at + 2);
    this.#type = byte(header, at + 3);
    this.#flags = byte(header, at + 4);
    this.#streamId =
      (byte(header, at + 5) & 0x7f) * 0x1_00_00_00 +
      byte(header, at + 6) * 65_536 +
      byte(header, at + 7) * 256 +
      byte(header, at + 8);
    if (length > this.#limits.maxFrameBytes)
      return connectionError(
        ErrorCode.frameSizeError,
        `frame of ${length} bytes, permitted ${this.#limits.maxFrameBytes}`,
      );
    if (this.#type === FrameType.data) return this.#startData(length);
    if (this.#type > FrameType.continuation) return this.#startUnknown(length);
    const limit = gatherLimit(this.#type, this.#limits);
    if (length > limit)
      return connectionError(
        ErrorCode.enhanceYourCalm,
        `frame of type ${this.#type} with ${length} bytes, permitted ${limit}`,
      );
    this.#missing = length;
    if (length > 0) {
      this.#stage = STAGE.gather;
      return undefined;
    }
    return this.#finishFrame(EMPTY);
  }

  #startUnknown(length: number): ConnectionError | undefined {
    const error = this.#sink.onUnknownFrame();
    if (error !== undefined) return error;
    this.#missing = length;
    this.#stage = STAGE.skip;
    if (length === 0) this.#enterHeader();
    return undefined;
  }

  #startData(length: number): ConnectionError | undefined {
    const padded = (this.#flags & Flag.padded) !== 0;
    if (padded && length === 0)
      return connectionError(ErrorCode.frameSizeError, "padded DATA frame without a pad length");
    const error = this.#sink.onDataStart(this.#streamId, length);
    if (error !== undefined) return error;
    this.#paddingBytes = 0;
    this.#dataBytes = length;
    if (padded) {
      this.#stage = STAGE.padLength;
      this.#missing = 1;
      return undefined;
    }
    return this.#enterData(length);
  }

  #takePadLength(padLength: number): ConnectionError | undefined {
    if (padLength >= this.#dataBytes)
      return connectionError(
        ErrorCode.protocolError,
        `padding of ${padLength} bytes in a DATA frame of ${this.#dataBytes}`,
      );
    // The pad length octet counts as padding for flow control.
    this.#paddingBytes = padLength;
    return this.#enterData(this.#dataBytes - 1 - padLength);
  }

  #enterData(bytes: number): ConnectionError | undefined {
    this.#stage = STAGE.data;
    this.#missing = bytes;
    return bytes === 0 ? this.#enterPadding() : undefined;
  }

  #enterPadding(): ConnectionError | undefined {
    this.#stage = STAGE.padding;
    this.#missing = this.#paddingBytes;
    return this.#missing === 0 ? this.#endData() : undefined;
  }

  #endData(): ConnectionError | undefined {
    const overhead = (this.#flags & Flag.padded) === 0 ? 0 : this.#paddingBytes + 1;
    this.#enterHeader();
    return this.#sink.onDataEnd(overhead, (this.#flags & Flag.endStream) !== 0);
  }

  #takeGathered(chunk: Uint8Array, at: number, take: number): ConnectionError | undefined {
    const piece = chunk.subarray(at, at + take);
    if (this.#gathered === undefined && this.#missing === 0) return this.#finishFrame(piece);
    this.#gathered ??= new Uint8Array(take + this.#missing);
    this.#gathered.set(piece, this.#gathered.length - this.#missing - take);
    if (this.#missing > 0) return undefined;
    const payload = this.#gathered;
    this.#gathered = undefined;
    return this.#finishFrame(payload);
  }

  #finishFrame(payload: Uint8Array): ConnectionError | undefined {
    this.#enterHeader();
    return this.#sink.onFrame(this.#type, this.#flags, this.#streamId, payload);
  }

  #enterHeader(): void {
    this.#stage = STAGE.header;
    this.#missing = FRAME_HEADER_BYTES;
  }
}

const EMPTY = new Uint8Array(0);

function byte(bytes: Uint8Array, at: number): number {
  return bytes[at] ?? 0;
}

function gatherLimit(type: number, limits: FrameLimits): number {
  if (type === FrameType.headers || type === FrameType.continuation) return limits.maxHeaderFrameBytes;
  return type === FrameType.goaway ? MAX_GOAWAY_BYTES : MAX_CONTROL_FRAME_BYTES;
}
