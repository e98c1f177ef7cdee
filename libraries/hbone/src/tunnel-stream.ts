/** One HTTP/2 stream as a byte channel: a CONNECT request, its answer, and then bytes both ways. */

import type { HttpFault } from "@meltemi/http";
import {
  ErrorCode,
  type HeaderEntry,
  type HeadVerdict,
  type Http2Connection,
  Http2Stream,
  type StreamHost,
} from "@meltemi/http/http2-transport";
import type { AbortReason, ByteChannel, ByteConsumer, ChannelFault } from "@meltemi/l4";
import type { HeaderFields } from "./headers.ts";
import { areTrailers, readRequestHead, readResponseHead } from "./tunnel-heads.ts";

/** Is told what happens before a consumer is there. */
export interface StreamWatcher {
  onResponse(status: number, headers: HeaderFields): void;
  onFault(fault: ChannelFault): void;
}

/** A well-formed CONNECT (server). Call `stream.respond`; set `stream.watcher` to hear of a reset before that. */
export type OnConnect = (stream: TunnelStream, authority: string, headers: HeaderFields) => void;

const BAD_REQUEST = 400;
const REQUEST_HEADER_FIELDS_TOO_LARGE = 431;
/** RFC 9113 §6.5.2: what a field counts for beyond its text. */
const FIELD_OVERHEAD_BYTES = 32;

export class TunnelStream extends Http2Stream implements ByteChannel {
  watcher: StreamWatcher | undefined;
  /** Undefined on a stream that this side began. */
  readonly #onConnect: OnConnect | undefined;
  #consumer: ByteConsumer | undefined;
  /** The peer reads no more: its reset was an end. */
  #stopped = false;

  constructor(
    id: number,
    host: StreamHost,
    sendWindowBytes: number,
    receiveWindowBytes: number,
    onConnect: OnConnect | undefined,
  ) {
    super(id, host, sendWindowBytes, receiveWindowBytes);
    this.#onConnect = onConnect;
  }

  open(consumer: ByteConsumer): void {
    this.#consumer = consumer;
    this.resume();
    this.startReceiving();
  }

  override write(chunk: Uint8Array, lent: boolean): boolean {
    if (!this.#stopped || this.gone || this.endRequested || chunk.length === 0)
      return super.write(chunk, lent);
    this.#refuseSoon();
    return true;
  }

  endWrite(): void {
    if (!this.#stopped) {
      this.finish();
    } else if (!this.gone && !this.endRequested) {
      this.endRequested = true;
      this.onEndSent();
    }
  }

  abort(reason: AbortReason): void {
    this.#consumer = undefined;
    // CANCEL would do for most, but Istio's ztunnel reads it as a clean end of the stream; this code says that TCP broke.
    this.reset(reason === "limit" ? ErrorCode.enhanceYourCalm : ErrorCode.connectError);
  }

  override reset(code: number): void {
    // The peer has reset the stream already.
    if (this.#stopped) this.localEnded = true;
    super.reset(code);
  }

  /** Answers a request (server). */
  respond(status: number, headers: HeaderFields, endStream: boolean): void {
    if (this.gone || this.localEnded || this.#stopped) return;
    this.watcher = undefined;
    this.answered = true;
    const block = encode(this.host, [[":status", String(status)], ...headers]);
    if (block === undefined) {
      this.reset(ErrorCode.internalError);
      return;
    }
    this.host.sendBlock(this, block, endStream);
    if (!endStream) return;
    this.endRequested = true;
    this.onEndSent();
    // The peer need not send the rest of a body that nobody reads (RFC 9113 §8.1).
    if (!this.remoteEnded) this.reset(ErrorCode.noError);
  }

  onHead(fields: readonly HeaderEntry[], oversized: boolean, endStream: boolean): HeadVerdict {
    return this.#onConnect === undefined
      ? this.#response(fields, oversized, endStream)
      : this.#request(this.#onConnect, fields, oversized, endStream);
  }

  #request(
    onConnect: OnConnect,
    fields: readonly HeaderEntry[],
    oversized: boolean,
    endStream: boolean,
  ): HeadVerdict {
    this.headReceived = true;
    this.remoteEnded = endStream;
    if (oversized) {
      this.respond(REQUEST_HEADER_FIELDS_TOO_LARGE, [], true);
      return "refused";
    }
    const head = readRequestHead(fields);
    if (head.kind === "connect") {
      onConnect(this, head.authority, head.headers);
      return "ok";
    }
    if (head.kind === "not-connect") this.respond(BAD_REQUEST, [], true);
    else this.reset(ErrorCode.protocolError);
    return "refused";
  }

  #response(fields: readonly HeaderEntry[], oversized: boolean, endStream: boolean): HeadVerdict {
    const head = readResponseHead(fields);
    if (head.kind === "informational" && !endStream && !oversized) return "noise";
    if (head.kind !== "final" || oversized) {
      this.failWith(ErrorCode.protocolError, "malformed answer to CONNECT");
      return "refused";
    }
    this.headReceived = true;
    const { watcher } = this;
    this.watcher = undefined;
    // First the answer, then the end: whoever waits for the answer opens the channel.
    watcher?.onResponse(head.status, head.headers);
    if (endStream && !this.gone) this.onRemoteEnd();
    return "ok";
  }

  override onPeerReset(code: number): void {
    if (code !== ErrorCode.noError || !this.headReceived) {
      super.onPeerReset(code);
      return;
    }
    // "Stop sending, nothing is wrong": what came before is true, so it is an end (protocol §1.8). Only bytes that have nobody to
    // go to any more make it a fault, as TCP answers them with a reset.
    const unsentBytes = this.discardPending();
    this.#stopped = true;
    this.remoteEnded = true;
    this.host.release(this);
    this.settle();
    if (unsentBytes > 0) this.#refuseSoon();
  }

  #refuseSoon(): void {
    this.faultSoon({ kind: "reset", http2Code: ErrorCode.noError, detail: "peer reads no more" });
  }

  override onFault(fault: HttpFault): void {
    if (this.gone) return;
    const { watcher } = this;
    this.watcher = undefined;
    super.onFault(fault);
    if (this.#consumer === undefined) watcher?.onFault(channelFault(fault));
  }

  protected takeTrailers(fields: readonly HeaderEntry[]): boolean {
    return areTrailers(fields);
  }

  protected deliverData(chunk: Uint8Array, lent: boolean): void {
    this.#consumer?.onData(chunk, lent);
  }

  protected deliverEnd(): void {
    this.#consumer?.onEnd();
  }

  protected deliverWritable(): void {
    this.#consumer?.onDrain();
  }

  protected override deliverClosed(): void {
    this.#consumer?.onClosed();
  }

  protected deliverFault(fault: HttpFault): void {
    const consumer = this.#consumer;
    this.#consumer = undefined;
    consumer?.onFault(channelFault(fault));
  }
}

/** Sends a CONNECT (client); undefined when they cannot be written, or the peer would not take them or this stream. */
export function openTunnel(
  http2: Http2Connection,
  fields: HeaderFields,
  watcher: StreamWatcher,
): TunnelStream | undefined {
  let listBytes = 0;
  for (const [name, value] of fields) listBytes += name.length + value.length + FIELD_OVERHEAD_BYTES;
  if (http2.closed || http2.draining || listBytes > http2.peer.maxHeaderListBytes) return undefined;
  const block = encode(http2, fields);
  if (block === undefined) return undefined;
  const { initialWindowBytes } = http2.peer;
  const stream = new TunnelStream(
    http2.takeStreamId(),
    http2,
    initialWindowBytes,
    http2.streamWindowBytes,
    undefined,
  );
  stream.watcher = watcher;
  http2.adopt(stream);
  http2.sendBlock(stream, block, false);
  return stream;
}

function encode({ encoder }: StreamHost, fields: HeaderFields): Uint8Array | undefined {
  encoder.begin();
  for (const [name, value] of fields) encoder.field(name, value);
  return encoder.finish();
}

/** As a channel tells it. A stream that was never looked at was refused, which is a reset by its code. */
function channelFault(fault: HttpFault): ChannelFault {
  if (fault.kind === "refused") return { kind: "reset", http2Code: ErrorCode.refusedStream };
  if (fault.kind === "reset" && fault.http2Code !== undefined)
    return { kind: "reset", http2Code: fault.http2Code };
  return { kind: "broken", detail: fault.detail };
}
