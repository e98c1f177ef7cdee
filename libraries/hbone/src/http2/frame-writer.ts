/** Encodes frames into an outbox (RFC 9113 §6). */
import { CLIENT_PREFACE, Flag, FRAME_HEADER_BYTES, FrameType } from "./constants.ts";
import type { Outbox } from "./outbox.ts";

export class FrameWriter {
  readonly #outbox: Outbox;
  /** Header, and payload of the small frames. */
  readonly #scratch = new Uint8Array(FRAME_HEADER_BYTES + 8);
  readonly #view = new DataView(this.#scratch.buffer);

  constructor(outbox: Outbox) {
    this.#outbox = outbox;
  }

  preface(): void {
    this.#outbox.append(CLIENT_PREFACE);
  }

  data(streamId: number, payload: Uint8Array, endStream: boolean): void {
    this.#header(payload.length, FrameType.data, endStream ? Flag.endStream : 0, streamId);
    this.#outbox.append(payload);
  }

  /** Splits a block that exceeds the peer's frame limit into CONTINUATION frames. */
  headers(streamId: number, block: Uint8Array, endStream: boolean, maxFrameBytes: number): void {
    let at = 0;
    do {
      const take = Math.min(block.length - at, maxFrameBytes);
      const last = at + take === block.length;
      const flags = (last ? Flag.endHeaders : 0) | (at === 0 && endStream ? Flag.endStream : 0);
      this.#header(take, at === 0 ? FrameType.headers : FrameType.continuation, flags, streamId);
      this.#outbox.append(block.subarray(at, at + take));
      at += take;
    } while (at < block.length);
  }

  rstStream(streamId: number, code: number): void {
    this.#view.setUint32(FRAME_HEADER_BYTES, code);
    this.#small(4, FrameType.rstStream, 0, streamId);
  }

  settings(entries: readonly (readonly [id: number, value: number])[]): void {
    this.#header(entries.length * 6, FrameType.settings, 0, 0);
    for (const [id, value] of entries) {
      this.#view.setUint16(0, id);
      this.#view.setUint32(2, value);
      this.#outbox.append(this.#scratch.subarray(0, 6));
    }
  }

  settingsAck(): void {
    this.#small(0, FrameType.settings, Flag.ack, 0);
  }

  /** `opaque` is exactly 8 bytes. */
  ping(opaque: Uint8Array, ack: boolean): void {
    this.#scratch.set(opaque, FRAME_HEADER_BYTES);
    this.#small(8, FrameType.ping, ack ? Flag.ack : 0, 0);
  }

  goaway(lastStreamId: number, code: number): void {
    this.#view.setUint32(FRAME_HEADER_BYTES, lastStreamId);
    this.#view.setUint32(FRAME_HEADER_BYTES + 4, code);
    this.#small(8, FrameType.goaway, 0, 0);
  }

  windowUpdate(streamId: number, bytes: number): void {
    this.#view.setUint32(FRAME_HEADER_BYTES, bytes);
    this.#small(4, FrameType.windowUpdate, 0, streamId);
  }

  #header(length: number, type: number, flags: number, streamId: number): void {
    this.#fillHeader(length, type, flags, streamId);
    this.#outbox.append(this.#scratch.subarray(0, FRAME_HEADER_BYTES));
  }

  #small(length: number, type: number, flags: number, streamId: number): void {
    this.#fillHeader(length, type, flags, streamId);
    this.#outbox.append(this.#scratch.subarray(0, FRAME_HEADER_BYTES + length));
  }

  #fillHeader(length: number, type: number, flags: number, streamId: number): void {
    this.#view.setUint8(0, length >>> 16);
    this.#view.setUint16(1, length & 0xffff);
    this.#view.setUint8(3, type);
    this.#view.setUint8(4, flags);
    this.#view.setUint32(5, streamId);
  }
}
