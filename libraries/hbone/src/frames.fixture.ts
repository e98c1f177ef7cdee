/** For tests: frames by hand, and two connections joined without a network. */

import {
  BatchBuffers,
  CLIENT_PREFACE,
  type ConnectionError,
  type ConnectionEvents,
  ErrorCode,
  errorCodeName,
  Flag,
  FrameType,
  Http2Connection,
  type Http2Role,
  Outbox,
  type StreamHost,
} from "@meltemi/http/http2-transport";
import type { HeaderFields } from "./headers.ts";
import { BATCH_BYTES, HBONE_CLIENT_DEFAULTS, HBONE_SERVER_DEFAULTS, type HboneOptions } from "./options.ts";
import { TunnelStream } from "./tunnel-stream.ts";

export function frame(
  type: number,
  flags: number,
  streamId: number,
  payload: Uint8Array = new Uint8Array(0),
): Buffer {
  const header = Buffer.alloc(9);
  header.writeUIntBE(payload.length, 0, 3);
  header.writeUInt8(type, 3);
  header.writeUInt8(flags, 4);
  header.writeUInt32BE(streamId, 5);
  return Buffer.concat([header, payload]);
}

export function uint32(...values: readonly number[]): Buffer {
  const buffer = Buffer.alloc(values.length * 4);
  for (const [index, value] of values.entries()) buffer.writeUInt32BE(value, index * 4);
  return buffer;
}

export function setting(id: number, value: number): Buffer {
  const buffer = Buffer.alloc(6);
  buffer.writeUInt16BE(id, 0);
  buffer.writeUInt32BE(value, 2);
  return buffer;
}

export const PREFACE: Buffer = Buffer.concat([CLIENT_PREFACE, frame(FrameType.settings, 0, 0)]);

export const CONNECT: HeaderFields = [
  [":method", "CONNECT"],
  [":authority", "10.0.0.1:80"],
];

/** Literals only: what an encoder of ours would never send is sent too. */
function block(fields: HeaderFields): Buffer {
  const string = (text: string): Buffer => {
    const bytes = Buffer.from(text, "latin1");
    if (bytes.length >= 127 + 128) throw new RangeError("a string of more than 254 bytes in a test");
    const length = bytes.length < 127 ? [bytes.length] : [127, bytes.length - 127];
    return Buffer.concat([Buffer.from(length), bytes]);
  };
  return Buffer.concat(fields.flatMap(([name, value]) => [Buffer.from([0]), string(name), string(value)]));
}

export function headersFrame(streamId: number, fields: HeaderFields, endStream = false): Buffer {
  const flags = Flag.endHeaders | (endStream ? Flag.endStream : 0);
  return frame(FrameType.headers, flags, streamId, block(fields));
}

export interface SeenFrame {
  readonly type: number;
  readonly flags: number;
  readonly streamId: number;
  readonly payload: Buffer;
}

/** Cuts what a connection wrote; a client's preface is skipped. */
export function parseFrames(bytes: Buffer): SeenFrame[] {
  const frames: SeenFrame[] = [];
  let at = bytes.subarray(0, CLIENT_PREFACE.length).equals(CLIENT_PREFACE) ? CLIENT_PREFACE.length : 0;
  while (at + 9 <= bytes.length) {
    const length = bytes.readUIntBE(at, 3);
    const payload = bytes.subarray(at + 9, at + 9 + length);
    frames.push({
      type: bytes[at + 3] ?? 0,
      flags: bytes[at + 4] ?? 0,
      streamId: bytes.readUInt32BE(at + 5),
      payload,
    });
    at += 9 + length;
  }
  return frames;
}

/** A connection whose events are kept. */
export class Endpoint implements ConnectionEvents {
  readonly http2: Http2Connection;
  readonly requests: {
    readonly stream: TunnelStream;
    readonly authority: string;
    readonly headers: HeaderFields;
  }[] = [];
  failure: ConnectionError | undefined;
  pongs = 0;
  nowMs = 0;

  constructor(role: Http2Role, options: Partial<HboneOptions> = {}) {
    const defaults = role === "server" ? HBONE_SERVER_DEFAULTS : HBONE_CLIENT_DEFAULTS;
    this.http2 = new Http2Connection(
      role,
      { ...defaults, ...options },
      new Outbox(new BatchBuffers(BATCH_BYTES)),
      this,
    );
    this.http2.start();
  }

  createStream(id: number, host: StreamHost, sendBytes: number, receiveBytes: number): TunnelStream {
    return new TunnelStream(id, host, sendBytes, receiveBytes, (stream, authority, headers) =>
      this.requests.push({ stream, authority, headers }),
    );
  }
  onOutput(): void {}
  onCapacity(): void {}
  onPong(): void {
    this.pongs++;
  }
  onFailed(error: ConnectionError): void {
    this.failure = error;
  }
  onInternalError(error: unknown): void {
    throw error;
  }

  /** Everything written so far, as the socket would take it. */
  takeOutput(): Buffer {
    const parts: Buffer[] = [];
    for (let batch = this.http2.outbox.take(); batch !== undefined; batch = this.http2.outbox.take()) {
      parts.push(Buffer.from(batch.buffer.slice(0, batch.length)));
      this.http2.outbox.giveBack(batch);
    }
    this.http2.pump();
    return Buffer.concat(parts);
  }

  receive(...bytes: readonly Uint8Array[]): void {
    for (const part of bytes) this.http2.receive(Buffer.from(part), this.nowMs);
  }
}

/** Carries bytes between two endpoints until both are silent. */
export function exchange(a: Endpoint, b: Endpoint): void {
  for (let quiet = false; !quiet; ) {
    const fromA = a.takeOutput();
    const fromB = b.takeOutput();
    if (fromA.length > 0) b.receive(fromA);
    if (fromB.length > 0) a.receive(fromB);
    quiet = fromA.length === 0 && fromB.length === 0;
  }
}

/** What an endpoint did: `goaway CODE`, `reset CODE`, `status N`, or `fine`. */
export function outcome(endpoint: Endpoint): string {
  const frames = parseFrames(endpoint.takeOutput());
  const goaway = frames.find((one) => one.type === FrameType.goaway);
  if (goaway !== undefined) return `goaway ${errorCodeName(goaway.payload.readUInt32BE(4))}`;
  const reset = frames.find((one) => one.type === FrameType.rstStream);
  const code = reset?.payload.readUInt32BE(0);
  if (code !== undefined && code !== ErrorCode.noError) return `reset ${errorCodeName(code)}`;
  const headers = frames.find((one) => one.type === FrameType.headers);
  // 400 is static entry 12, 431 a literal.
  if (headers !== undefined)
    return headers.payload[0] === 0x8c ? "status 400" : `status ${headers.payload.subarray(-3)}`;
  return "fine";
}
