/** A stream that a client began, as one exchange. */
import type {
  BodyReceiver,
  HttpAbort,
  HttpFault,
  RequestHead,
  ResponseHead,
  ServerConnectionOwner,
  ServerExchange,
} from "../exchange.ts";
import { HeaderFields } from "../headers.ts";
import type { HeaderEntry } from "../hpack/header-entry.ts";
import { BodyLength } from "./body-length.ts";
import { ErrorCode } from "./constants.ts";
import { Head, readRequestHead, trailerFault } from "./header-rules.ts";
import { abortCode, encodeResponse, encodeTrailers, encodeUpgraded, UNWRITABLE } from "./message-heads.ts";
import { Http2Stream } from "./stream.ts";
import type { HeadVerdict, StreamHost } from "./stream-host.ts";

/** What a stream tells whoever serves the connection. */
export type ServerStreamOwner = Pick<ServerConnectionOwner, "onExchange" | "onRefused">;

const CONTINUE = 100;
const BAD_REQUEST = 400;
const REQUEST_HEADER_FIELDS_TOO_LARGE = 431;
const INTERNAL_SERVER_ERROR = 500;
const BAD_GATEWAY = 502;

export class ServerStream extends Http2Stream implements ServerExchange {
  request!: RequestHead;
  requestEnded = false;
  readonly #owner: ServerStreamOwner;
  readonly #length = new BodyLength();
  #receiver: BodyReceiver | undefined;
  #requestTrailers: HeaderFields | undefined;
  #responseTrailers: HeaderFields | undefined;
  /** The client was told to go on. */
  #continued = false;
  /** Both sides are bytes of another protocol, and end on their own. */
  #tunnel = false;

  constructor(
    id: number,
    host: StreamHost,
    sendBytes: number,
    receiveBytes: number,
    owner: ServerStreamOwner,
  ) {
    super(id, host, sendBytes, receiveBytes);
    this.#owner = owner;
  }

  onHead(fields: readonly HeaderEntry[], oversized: boolean, endStream: boolean): HeadVerdict {
    this.headReceived = true;
    this.remoteEnded = endStream;
    this.requestEnded = endStream;
    if (oversized) {
      this.respond({ status: REQUEST_HEADER_FIELDS_TOO_LARGE, headers: new HeaderFields() }, true);
      this.#owner.onRefused(
        REQUEST_HEADER_FIELDS_TOO_LARGE,
        "request head exceeds the limit of bytes or fields",
      );
      return "refused";
    }
    const head = new Head();
    const request = head.read(fields) ?? readRequestHead(head);
    this.#length.expect(head.contentLength);
    const short = endStream ? this.#length.fault(undefined) : undefined;
    if (typeof request === "string" || short !== undefined) {
      this.reset(ErrorCode.protocolError);
      this.#owner.onRefused(BAD_REQUEST, short ?? `malformed request: ${request}`);
      return "refused";
    }
    this.request = request;
    // What a client sends before its tunnel is accepted is not for this handler to see yet.
    if (request.method === "CONNECT" || request.upgrade !== undefined) this.withhold(true);
    this.#owner.onExchange(this);
    return "ok";
  }

  receive(receiver: BodyReceiver): void {
    this.#receiver = receiver;
    if (this.request.expectsContinue && !this.#continued) this.inform(CONTINUE, new HeaderFields());
    this.startReceiving();
  }

  inform(status: number, headers: HeaderFields): void {
    if (this.gone || this.answered || status < 100 || status > 199 || status === 101) return;
    if (status === CONTINUE) this.#continued = true;
    const block = encodeResponse(this.host.encoder, status, headers);
    if (block === undefined) this.#answerUnwritable();
    else this.host.sendBlock(this, block, false);
  }

  respond(head: ResponseHead, ended: boolean): void {
    if (this.gone || this.answered) return;
    this.answered = true;
    const upgrade = this.request?.upgrade !== undefined;
    const { status, headers } = head;
    const success = status >= 200 && status < 300;
    this.#tunnel = upgrade ? status === 101 : success && this.request?.method === "CONNECT";
    const { encoder } = this.host;
    let block: Uint8Array | undefined;
    if (upgrade && status === 101) block = encodeUpgraded(encoder, headers);
    // Any 2xx would tell the client that the protocol was changed (RFC 8441 §5), which a server that answers 200 did not do.
    else if (upgrade && success) block = encodeResponse(encoder, BAD_GATEWAY, headers);
    else block = encodeResponse(encoder, status, headers);
    if (block === undefined) {
      this.#answerUnwritable();
      return;
    }
    if (ended) this.endRequested = true;
    this.host.sendBlock(this, block, ended);
    if (ended) this.onEndSent();
    else if (this.#tunnel) this.withhold(false);
  }

  /** As over HTTP/1: the client gets an answer, and the handler a fault. */
  #answerUnwritable(): void {
    const block = encodeResponse(this.host.encoder, INTERNAL_SERVER_ERROR, new HeaderFields());
    if (block !== undefined) this.host.sendBlock(this, block, true);
    if (!this.remoteEnded) this.host.sendReset(this, ErrorCode.noError);
    this.faultSoon({ kind: "protocol", detail: `response: ${UNWRITABLE}` });
  }

  override write(chunk: Uint8Array, lent: boolean): boolean {
    return this.answered ? super.write(chunk, lent) : true;
  }

  end(trailers?: HeaderFields): void {
    if (!this.answered) return;
    if (trailers !== undefined && trailers.flat.length > 0) this.#responseTrailers = trailers;
    this.finish();
  }

  abort(reason: HttpAbort): void {
    this.reset(abortCode(reason, this.#tunnel));
  }

  /** With the response the exchange is over: a client need not send what nobody will read (RFC 9113 §8.1). */
  protected override onEndSent(): void {
    super.onEndSent();
    if (!this.#tunnel && !this.gone) this.reset(ErrorCode.noError);
  }

  protected override get hasTrailers(): boolean {
    return this.#responseTrailers !== undefined;
  }

  protected override sendTrailers(): boolean {
    if (this.#responseTrailers === undefined) return false;
    const block = encodeTrailers(this.host.encoder, this.#responseTrailers);
    if (block === undefined) this.breakOff(`trailers: ${UNWRITABLE}`);
    else this.host.sendBlock(this, block, true);
    return true;
  }

  protected takeTrailers(fields: readonly HeaderEntry[]): boolean {
    const head = new Head();
    if ((head.read(fields) ?? trailerFault(head)) !== undefined) return false;
    this.#requestTrailers = head.headers;
    return true;
  }

  protected override bodyFault(bytes: number | undefined): string | undefined {
    return this.#length.fault(bytes);
  }

  protected deliverData(chunk: Uint8Array, lent: boolean): void {
    this.#receiver?.onData(chunk, lent);
  }

  protected deliverEnd(): void {
    this.#receiver?.onEnd(this.#requestTrailers);
  }

  protected deliverWritable(): void {
    this.#receiver?.onWritable();
  }

  protected deliverFault(fault: HttpFault): void {
    this.#receiver?.onFault(fault);
  }
}
