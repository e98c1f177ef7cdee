/**
 * Frames of SPDY/3 (SPDY/3 draft, section 2.2), which Kubernetes' clients use for exec, attach and port-forward. Bytes in, frames
 * out, without IO. The bytes of a data frame are handed on as they come: however long it says it is, nothing waits for its end.
 */

export type SpdyFrame =
  | {
      readonly kind: "syn-stream";
      readonly streamId: number;
      /** Compressed. */
      readonly headers: Buffer;
      readonly isLast: boolean;
    }
  /** `streamId` names a stream of the other side's. The block must be decompressed all the same: it moves the dictionary. */
  | {
      readonly kind: "headers";
      readonly streamId: number;
      readonly headers: Buffer;
      readonly isLast: boolean;
    }
  | { readonly kind: "reset"; readonly streamId: number }
  | { readonly kind: "ping"; readonly id: number }
  | { readonly kind: "go-away" }
  /** A view of what was put in. */
  | { readonly kind: "data"; readonly streamId: number; readonly bytes: Buffer; readonly isLast: boolean }
  /** Settings, window updates: nothing here depends on them. */
  | { readonly kind: "ignored" };

export type TakenFrame =
  | { readonly kind: "need" }
  | { readonly kind: "ok"; readonly frame: SpdyFrame; readonly used: number }
  | { readonly kind: "bad"; readonly why: string };

const HEAD_BYTES = 8;
const VERSION = 3;
/** Headers of a stream are a handful of words. */
const MAX_CONTROL_BYTES = 16 * 1024;

const SYN_STREAM = 1;
const SYN_REPLY = 2;
const RST_STREAM = 3;
const PING = 6;
const GO_AWAY = 7;
const HEADERS = 8;
const FLAG_FIN = 1;

/** What each kind of control frame has before its headers, or has at all. */
const FIXED_BYTES: ReadonlyMap<number, number> = new Map([
  [SYN_STREAM, 10],
  [SYN_REPLY, 4],
  [RST_STREAM, 8],
  [PING, 4],
  [GO_AWAY, 8],
  [HEADERS, 4],
]);

/** Reads frames from pieces of a byte stream, in order. */
export interface FrameDecoder {
  /** The next frame of `bytes`, which begin where the last `used` ended. */
  take(bytes: Buffer): TakenFrame;
}

/** After `bad` there is nothing more to read: the connection has no shared notion of where a frame begins. */
export function createFrameDecoder(): FrameDecoder {
  /** Of the data frame that is being handed on. */
  let data: { readonly streamId: number; readonly isLast: boolean; left: number } | undefined;

  function dataPiece(bytes: Buffer, headBytes: number): TakenFrame {
    if (data === undefined) return { kind: "need" };
    const piece = bytes.subarray(headBytes, headBytes + data.left);
    // The head is not used up alone: it would be a frame that says nothing.
    if (piece.length === 0 && data.left > 0) return { kind: "need" };
    const { streamId, isLast, left } = data;
    const whole = piece.length === left;
    data = whole ? undefined : { streamId, isLast, left: left - piece.length };
    const frame = { kind: "data", streamId, bytes: piece, isLast: whole && isLast } as const;
    return { kind: "ok", frame, used: headBytes + piece.length };
  }

  return {
    take(bytes) {
      if (data !== undefined && data.left > 0) return dataPiece(bytes, 0);
      if (bytes.length < HEAD_BYTES) return { kind: "need" };
      const first = bytes.readUInt32BE(0);
      const flags = bytes.readUInt8(4);
      const length = bytes.readUIntBE(5, 3);
      if (first >= 0x8000_0000) return takeControl(bytes, first, flags, length);
      // Decided before the bytes are there, so that a later call finds the same head.
      if (length > 0 && bytes.length === HEAD_BYTES) return { kind: "need" };
      data = { streamId: first, isLast: (flags & FLAG_FIN) !== 0, left: length };
      return dataPiece(bytes, HEAD_BYTES);
    },
  };
}

function takeControl(bytes: Buffer, first: number, flags: number, length: number): TakenFrame {
  const version = (first >>> 16) & 0x7fff;
  const type = first & 0xffff;
  if (version !== VERSION) return { kind: "bad", why: `expected SPDY version ${VERSION}, got ${version}` };
  if (length > MAX_CONTROL_BYTES)
    return {
      kind: "bad",
      why: `expected a control frame of at most ${MAX_CONTROL_BYTES} bytes, got ${length}`,
    };
  const fixed = FIXED_BYTES.get(type);
  if (fixed !== undefined && length < fixed)
    return { kind: "bad", why: `expected at least ${fixed} bytes in a frame of type ${type}, got ${length}` };
  if (bytes.length < HEAD_BYTES + length) return { kind: "need" };
  const body = bytes.subarray(HEAD_BYTES, HEAD_BYTES + length);
  const frame = fixed === undefined ? ({ kind: "ignored" } as const) : controlFrame(type, flags, fixed, body);
  return { kind: "ok", frame, used: HEAD_BYTES + length };
}

function controlFrame(type: number, flags: number, fixed: number, body: Buffer): SpdyFrame {
  const number = body.readUInt32BE(0) & 0x7fff_ffff;
  const [headers, isLast] = [body.subarray(fixed), (flags & FLAG_FIN) !== 0];
  switch (type) {
    case SYN_STREAM:
      return { kind: "syn-stream", streamId: number, headers, isLast };
    case RST_STREAM:
      return { kind: "reset", streamId: number };
    case PING:
      return { kind: "ping", id: body.readUInt32BE(0) };
    case GO_AWAY:
      return { kind: "go-away" };
    default:
      return { kind: "headers", streamId: number, headers, isLast };
  }
}

function control(type: number, body: Buffer): Buffer {
  const head = Buffer.alloc(HEAD_BYTES);
  head.writeUInt16BE(0x8000 | VERSION, 0);
  head.writeUInt16BE(type, 2);
  head.writeUIntBE(body.length, 5, 3);
  return Buffer.concat([head, body]);
}

function words(...numbers: readonly number[]): Buffer {
  const bytes = Buffer.alloc(numbers.length * 4);
  for (const [at, number] of numbers.entries()) bytes.writeUInt32BE(number, at * 4);
  return bytes;
}

/** Accepts a stream. `headers` are compressed. */
export function replyFrame(streamId: number, headers: Buffer): Buffer {
  return control(SYN_REPLY, Buffer.concat([words(streamId), headers]));
}

/** Why a stream is given up (SPDY/3 draft, section 2.6.3). */
export const RESET_STATUS = { protocolError: 1, refusedStream: 3, cancel: 5 } as const;

export function resetFrame(streamId: number, status: number): Buffer {
  return control(RST_STREAM, words(streamId, status));
}

export function pingFrame(id: number): Buffer {
  return control(PING, words(id));
}

export function goAwayFrame(lastStreamId: number): Buffer {
  return control(GO_AWAY, words(lastStreamId, 0));
}

/** Head of a data frame; its bytes follow. */
export function dataHead(streamId: number, length: number, isLast: boolean): Buffer {
  const head = Buffer.alloc(HEAD_BYTES);
  head.writeUInt32BE(streamId, 0);
  head.writeUInt8(isLast ? FLAG_FIN : 0, 4);
  head.writeUIntBE(length, 5, 3);
  return head;
}
