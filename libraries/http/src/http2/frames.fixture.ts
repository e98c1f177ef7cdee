/** For tests: usual requests, receivers that keep what they hear, and two connections joined without a network. */

import { type FrameFields, frame, parseFrames } from "@meltemi/testkit";
import type {
  BodyReceiver,
  HttpFault,
  RequestHead,
  ResponseHead,
  ResponseReceiver,
  ServerExchange,
} from "../exchange.ts";
import { HeaderFields } from "../headers.ts";
import { HpackEncoder } from "../hpack/encoder.ts";
import { ClientStream } from "./client-stream.ts";
import { Http2Connection } from "./connection.ts";
import {
  CLIENT_PREFACE,
  type ConnectionError,
  ErrorCode,
  errorCodeName,
  Flag,
  FrameType,
} from "./constants.ts";
import { HTTP2_CLIENT_DEFAULTS, HTTP2_SERVER_DEFAULTS, type Http2Options } from "./options.ts";
import { BatchBuffers, Outbox } from "./outbox.ts";
import type { ConnectionEvents, Http2Role } from "./receiver-host.ts";
import { ServerStream } from "./server-stream.ts";
import type { Http2Stream } from "./stream.ts";
import type { StreamHost } from "./stream-host.ts";

export const SETTINGS: Buffer = frame(FrameType.settings, 0, 0);
export const PREFACE: Buffer = Buffer.concat([CLIENT_PREFACE, SETTINGS]);

export const GET: FrameFields = [
  [":method", "GET"],
  [":scheme", "http"],
  [":authority", "a.example"],
  [":path", "/"],
];
export const POST: FrameFields = [[":method", "POST"], ...GET.slice(1)];
export const CONNECT: FrameFields = [
  [":method", "CONNECT"],
  [":authority", "10.0.0.1:80"],
];
export const WEBSOCKET: FrameFields = [[":method", "CONNECT"], [":protocol", "websocket"], ...GET.slice(1)];

export function dataFrame(streamId: number, bytes: number | string, endStream = false): Buffer {
  const payload = typeof bytes === "string" ? Buffer.from(bytes) : Buffer.alloc(bytes);
  return frame(FrameType.data, endStream ? Flag.endStream : 0, streamId, payload);
}

/** Keeps everything that one body, or one response, brought. */
export class Recorder implements BodyReceiver, ResponseReceiver {
  text = "";
  bytes = 0;
  readonly log: string[] = [];
  response: ResponseHead | undefined;
  trailers: HeaderFields | undefined;
  fault: HttpFault | undefined;
  writables = 0;

  onInformational(status: number): void {
    this.log.push(`informational ${status}`);
  }
  onResponse(head: ResponseHead, ended: boolean): void {
    this.response = head;
    this.log.push(`response ${head.status}${ended ? " ended" : ""}`);
  }
  onData(chunk: Uint8Array): void {
    this.bytes += chunk.length;
    if (this.text.length < 1000) this.text += Buffer.from(chunk).toString("latin1");
  }
  onEnd(trailers: HeaderFields | undefined): void {
    this.trailers = trailers;
    this.log.push("end");
  }
  onWritable(): void {
    this.writables++;
  }
  onFault(fault: HttpFault): void {
    this.fault = fault;
    this.log.push(`fault ${fault.kind}`);
  }
}

/** A connection whose events are kept. */
export class Endpoint implements ConnectionEvents {
  readonly http2: Http2Connection;
  readonly exchanges: ServerExchange[] = [];
  readonly refusals: number[] = [];
  failure: ConnectionError | undefined;
  pongs = 0;
  nowMs = 0;

  constructor(role: Http2Role, options: Partial<Http2Options> = {}) {
    const defaults = role === "server" ? HTTP2_SERVER_DEFAULTS : HTTP2_CLIENT_DEFAULTS;
    const outbox = new Outbox(new BatchBuffers(64 * 1024));
    this.http2 = new Http2Connection(role, { ...defaults, ...options }, outbox, this);
    this.http2.start(role === "server");
  }

  createStream(id: number, host: StreamHost, sendBytes: number, receiveBytes: number): Http2Stream {
    return new ServerStream(id, host, sendBytes, receiveBytes, this);
  }
  onExchange(exchange: ServerExchange): void {
    this.exchanges.push(exchange);
  }
  onRefused(status: number): void {
    this.refusals.push(status);
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

  /** Sends a request (client). */
  send(head: Partial<RequestHead>, ended: boolean, receiver: ResponseReceiver): ClientStream {
    const whole: RequestHead = {
      version: "HTTP/2",
      method: "GET",
      scheme: "http",
      authority: "a.example",
      path: "/",
      headers: new HeaderFields(),
      expectsContinue: false,
      ...head,
    };
    const { http2 } = this;
    const { initialWindowBytes } = http2.peer;
    const stream = new ClientStream(
      http2.takeStreamId(),
      http2,
      initialWindowBytes,
      http2.streamWindowBytes,
      whole,
      receiver,
    );
    http2.adopt(stream);
    stream.begin(whole, ended);
    return stream;
  }

  /** Everything written so far, as the channel would take it. */
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
export function exchangeBytes(a: Endpoint, b: Endpoint): void {
  for (let quiet = false; !quiet; ) {
    const fromA = a.takeOutput();
    const fromB = b.takeOutput();
    if (fromA.length > 0) b.receive(fromA);
    if (fromB.length > 0) a.receive(fromB);
    quiet = fromA.length === 0 && fromB.length === 0;
  }
}

/** Lets microtasks run. */
export const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** What an endpoint did: `goaway CODE`, `reset CODE`, `status N` of an answer of its own, or `fine`. */
export function outcome(endpoint: Endpoint): string {
  const frames = parseFrames(endpoint.takeOutput());
  const goaway = frames.find((one) => one.type === FrameType.goaway);
  if (goaway !== undefined) return `goaway ${errorCodeName(goaway.payload.readUInt32BE(4))}`;
  const reset = frames.find((one) => one.type === FrameType.rstStream);
  const code = reset?.payload.readUInt32BE(0);
  if (code !== undefined && code !== ErrorCode.noError) return `reset ${errorCodeName(code)}`;
  const headers = endpoint.http2.role === "server" && frames.find((one) => one.type === FrameType.headers);
  return headers ? `status ${headers.payload.subarray(-3)}` : "fine";
}

/** A block as our own encoder makes it, with a table of its own. */
export function encoded(fields: FrameFields): Buffer {
  const encoder = new HpackEncoder();
  encoder.begin();
  for (const [name, value] of fields) encoder.field(name, value);
  const made = encoder.finish();
  if (made === undefined) throw new Error("a field that must not be written");
  return Buffer.from(made);
}
