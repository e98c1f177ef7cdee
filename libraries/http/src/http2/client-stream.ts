/** A stream that this side began, as one exchange. */
import type { ClientExchange, HttpAbort, HttpFault, RequestHead, ResponseReceiver } from "../exchange.ts";
import type { HeaderFields } from "../headers.ts";
import type { HeaderEntry } from "../hpack/header-entry.ts";
import { BodyLength } from "./body-length.ts";
import { ErrorCode } from "./constants.ts";
import { Head, readResponseHead, trailerFault } from "./header-rules.ts";
import { abortCode, encodeRequest, encodeTrailers, UNWRITABLE } from "./message-heads.ts";
import { Http2Stream } from "./stream.ts";
import type { HeadVerdict, StreamHost } from "./stream-host.ts";

const SWITCHING_PROTOCOLS = 101;

export class ClientStream extends Http2Stream implements ClientExchange {
  readonly #receiver: ResponseReceiver;
  readonly #length = new BodyLength();
  readonly #method: string;
  readonly #upgrade: boolean;
  #tunnel = false;
  #requestTrailers: HeaderFields | undefined;
  #responseTrailers: HeaderFields | undefined;

  constructor(
    id: number,
    host: StreamHost,
    sendBytes: number,
    receiveBytes: number,
    head: RequestHead,
    receiver: ResponseReceiver,
  ) {
    super(id, host, sendBytes, receiveBytes);
    this.#method = head.method;
    this.#upgrade = head.upgrade !== undefined;
    this.#receiver = receiver;
    this.startReceiving();
  }

  /** Sends the request's head. */
  begin(head: RequestHead, ended: boolean): void {
    const block = encodeRequest(this.host.encoder, head);
    if (block === undefined) {
      this.faultSoon({ kind: "protocol", detail: `request: ${UNWRITABLE}` });
      return;
    }
    if (ended) this.endRequested = true;
    this.host.sendBlock(this, block, ended);
    if (ended) this.onEndSent();
  }

  onHead(fields: readonly HeaderEntry[], oversized: boolean, endStream: boolean): HeadVerdict {
    if (oversized) {
      this.host.sendReset(this, ErrorCode.cancel);
      this.onFault({ kind: "limit", detail: "response head exceeds the limit of bytes or fields" });
      return "refused";
    }
    const head = new Head();
    const status = head.read(fields) ?? readResponseHead(head);
    if (typeof status === "string") return this.#refuse(status);
    if (status < 200) {
      if (endStream) return this.#refuse(`status ${status} that ends the stream`);
      this.#receiver.onInformational(status, head.headers);
      return "noise";
    }
    return this.#response(status, head, endStream);
  }

  #response(status: number, head: Head, endStream: boolean): HeadVerdict {
    const success = status < 300;
    this.headReceived = true;
    this.#tunnel = success && (this.#upgrade || this.#method === "CONNECT");
    if (this.#method === "HEAD" || status === 204 || status === 304) this.#length.expectNone();
    if (!this.#tunnel) this.#length.expect(head.contentLength);
    const why = endStream ? this.#length.fault(undefined) : undefined;
    if (why !== undefined) return this.#refuse(why);
    const { headers } = head;
    if (this.#tunnel) headers.delete("content-length");
    if (endStream) this.endsWithHead();
    // RFC 8441 §5: what is 200 here is 101 in HTTP/1.1, and 101 for whoever carries the exchange on.
    const upgraded = this.#tunnel && this.#upgrade;
    this.#receiver.onResponse({ status: upgraded ? SWITCHING_PROTOCOLS : status, headers }, endStream);
    return "ok";
  }

  #refuse(why: string): HeadVerdict {
    this.failWith(ErrorCode.protocolError, why);
    return "refused";
  }

  end(trailers?: HeaderFields): void {
    if (trailers !== undefined && trailers.flat.length > 0) this.#requestTrailers = trailers;
    this.finish();
  }

  abort(reason: HttpAbort): void {
    this.reset(abortCode(reason, this.#tunnel));
  }

  override onPeerReset(code: number): void {
    // The response is whole, so this says only that the rest of the request is not wanted (RFC 9113 §8.1).
    if (this.remoteEnded) this.stopSending();
    else if (code === ErrorCode.refusedStream)
      this.onFault({ kind: "refused", detail: "peer refused the stream" });
    else super.onPeerReset(code);
  }

  protected override get hasTrailers(): boolean {
    return this.#requestTrailers !== undefined;
  }

  protected override sendTrailers(): boolean {
    if (this.#requestTrailers === undefined) return false;
    const block = encodeTrailers(this.host.encoder, this.#requestTrailers);
    if (block === undefined) this.breakOff(`trailers: ${UNWRITABLE}`);
    else this.host.sendBlock(this, block, true);
    return true;
  }

  protected takeTrailers(fields: readonly HeaderEntry[]): boolean {
    const head = new Head();
    if ((head.read(fields) ?? trailerFault(head)) !== undefined) return false;
    this.#responseTrailers = head.headers;
    return true;
  }

  protected override bodyFault(bytes: number | undefined): string | undefined {
    return this.#length.fault(bytes);
  }

  protected deliverData(chunk: Uint8Array, lent: boolean): void {
    this.#receiver.onData(chunk, lent);
  }

  protected deliverEnd(): void {
    this.#receiver.onEnd(this.#responseTrailers);
  }

  protected deliverWritable(): void {
    this.#receiver.onWritable();
  }

  protected deliverFault(fault: HttpFault): void {
    this.#receiver.onFault(fault);
  }
}
