/** For tests: two connections joined without a network, and what they did. */

import {
  BatchBuffers,
  CLIENT_PREFACE,
  type ConnectionError,
  type ConnectionEvents,
  ErrorCode,
  errorCodeName,
  FrameType,
  Http2Connection,
  type Http2Role,
  Outbox,
  type StreamHost,
} from "@meltemi/http/http2-transport";
import { frame, parseFrames } from "@meltemi/testkit";
import type { HeaderFields } from "./headers.ts";
import { BATCH_BYTES, HBONE_CLIENT_DEFAULTS, HBONE_SERVER_DEFAULTS, type HboneOptions } from "./options.ts";
import { TunnelStream } from "./tunnel-stream.ts";

export const PREFACE: Buffer = Buffer.concat([CLIENT_PREFACE, frame(FrameType.settings, 0, 0)]);

export const CONNECT: HeaderFields = [
  [":method", "CONNECT"],
  [":authority", "10.0.0.1:80"],
];

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
