/** Encodes frames into an outbox (RFC 9113 §6). */
import { CLIENT_PREFACE, Flag, FRAME_HEADER_BYTES, FrameType } from "./constants.ts";
import type { Outbox } from "./outbox.ts";

export class FrameWriter {
  readonly #outbox: Outbox;

  constructor(outbox: Outbox) {
    this.#outbox = outbox;
  }

  preface(): void {
    this.#outbox.append(CLIENT_PREFACE);
  }

  data(streamId: number, payload: Uint8Array, endStream: boolean): void {
    this.#header(payload.length, FrameType.data, endStream ? Flag.endStream : 0, streamId, 0);
    if (payload.length > 0) this.#outbox.append(payload);
  }

  /** Splits a block that exceeds the peer's frame limit into CONTINUATION frames. */
  headers(streamId: number, block: Uint8Array, endStream: boolean, maxFrameBytes: number): void {
    const endFlag = endStream ? Flag.endStream : 0;
    if (block.length <= maxFrameBytes) {
      this.#header(block.length, FrameType.headers, Flag.endHeaders | endFlag, streamId, 0);
      this.#outbox.append(block);
      return;
    }
    for (let at = 0; at < block.length; at += maxFrameBytes) {
      const part = block.subarray(at, at + maxFrameBytes);
      const last = at + part.length === block.length;
      const flags = (last ? Flag.endHeaders : 0) | (at === 0 ? endFlag : 0);
      this.#header(part.length, at === 0 ? FrameType.headers : FrameType.continuation, flags, streamId, 0);
      this.#outbox.append(part);
    }
  }

  rstStream(streamId: number, code: number): void {
    this.#number(FrameType.rstStream, streamId, code);
  }

  settings(entries: readonly (readonly [id: number, value: number])[]): void {
    const buffer = this.#header(entries.length * 6, FrameType.settings, 0, 0, entries.length * 6);
    let at = this.#outbox.place + FRAME_HEADER_BYTES;
    for (const [id, value] of entries) {
      buffer[at] = id >>> 8;
      buffer[at + 1] = id;
      putUint32(buffer, at + 2, value);
      at += 6;
    }
  }

  settingsAck(): void {
    this.#header(0, FrameType.settings, Flag.ack, 0, 0);
  }

  /** `opaque` is exactly 8 bytes. */
  ping(opaque: Uint8Array, ack: boolean): void {
    const buffer = this.#header(8, FrameType.ping, ack ? Flag.ack : 0, 0, 8);
    buffer.set(opaque, this.#outbox.place + FRAME_HEADER_BYTES);
  }

  goaway(lastStreamId: number, code: number): void {
    const buffer = this.#header(8, FrameType.goaway, 0, 0, 8);
    const at = this.#outbox.place + FRAME_HEADER_BYTES;
    putUint32(buffer, at, lastStreamId);
    putUint32(buffer, at + 4, code);
  }

  windowUpdate(streamId: number, bytes: number): void {
    this.#number(FrameType.windowUpdate, streamId, bytes);
  }

  /** A frame whose payload is one number. */
  #number(type: number, streamId: number, value: number): void {
    const buffer = this.#header(4, type, 0, streamId, 4);
    putUint32(buffer, this.#outbox.place + FRAME_HEADER_BYTES, value);
  }

  /** Puts a header into the outbox, with room for `room` bytes of payload behind it. */
  #header(length: number, type: number, flags: number, streamId: number, room: number): Uint8Array {
    const buffer = this.#outbox.claim(FRAME_HEADER_BYTES + room);
    const at = this.#outbox.place;
    buffer[at] = length >>> 16;
    buffer[at + 1] = length >>> 8;
    buffer[at + 2] = length;
    buffer[at + 3] = type;
    buffer[at + 4] = flags;
    putUint32(buffer, at + 5, streamId);
    return buffer;
  }
}

function putUint32(buffer: Uint8Array, at: number, value: number): void {
  buffer[at] = value >>> 24;
  buffer[at + 1] = value >>> 16;
  buffer[at + 2] = value >>> 8;
  buffer[at + 3] = value;
}
