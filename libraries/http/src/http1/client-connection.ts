/** One server on a byte channel: one exchange at a time, and a connection that is reused only when nothing is left of the last. */

import type { ByteChannel } from "@meltemi/l4";
import type {
  ClientConnection,
  ClientConnectionOwner,
  ClientExchange,
  HttpFault,
  RequestHead,
  ResponseReceiver,
} from "../exchange.ts";
import { BodyDecoder } from "./body-decoder.ts";
import { type ClientExchangeOwner, Http1ClientExchange } from "./client-exchange.ts";
import { ClientNews } from "./client-news.ts";
import { Http1Connection, type Http1ConnectionDeps } from "./connection.ts";
import { BARE_LF } from "./head-end.ts";
import { requestHeadText } from "./head-text.ts";
import type { Http1Limits } from "./limits.ts";
import { type ParsedResponse, parseResponseHead } from "./response-head.ts";

export interface Http1ClientOptions {
  readonly limits: Http1Limits;
}

/** How long a server may take to finish its side after we have finished ours. */
const CLOSE_TIMEOUT_MS = 1000;
/** Informational responses before the real one: 100, 102 or 103, each a few times. */
const MAX_INFORMATIONAL = 32;

type State =
  | "idle"
  /** Waiting for the head of the response. */
  | "head"
  | "body"
  /** The response is whole, the request is not. */
  | "held"
  | "closing";

export class Http1ClientConnection extends Http1Connection implements ClientConnection, ClientExchangeOwner {
  readonly version = "HTTP/1.1";
  readonly #owner: ClientConnectionOwner;
  readonly #options: Http1ClientOptions;
  readonly #news: ClientNews;
  #state: State = "idle";
  #exchange: Http1ClientExchange | undefined;
  #decoder: BodyDecoder | undefined;
  #keepAlive = true;
  #draining = false;
  #served = 0;
  #informational = 0;
  /** Of the channel, before the request that runs. */
  #writesBefore = 0;

  constructor(
    channel: ByteChannel,
    owner: ClientConnectionOwner,
    options: Http1ClientOptions,
    deps: Http1ConnectionDeps,
  ) {
    super(channel, deps);
    this.#owner = owner;
    this.#options = options;
    this.#news = new ClientNews(this, owner);
  }

  get capacity(): number {
    return this.#state === "idle" && !this.#draining && !this.gone ? 1 : 0;
  }

  get active(): number {
    return this.#exchange === undefined ? 0 : 1;
  }

  send(head: RequestHead, ended: boolean, receiver: ResponseReceiver): ClientExchange {
    const asked = { method: head.method, upgrade: head.upgrade !== undefined };
    const changes = asked.upgrade || head.method === "CONNECT";
    const text = requestHeadText(head, ended);
    const framing = text.kind === "bad" || changes ? undefined : text.body;
    const exchange = new Http1ClientExchange(receiver, asked, ended, framing, this);
    if (this.capacity === 0)
      exchange.fault({ kind: "refused", detail: "the connection takes no further request" });
    else if (text.kind === "bad") exchange.fault({ kind: "protocol", detail: `request: ${text.why}` });
    else {
      this.#writesBefore = this.output.writes;
      if (this.output.head(text.text, text.lines, true)) this.#begin(exchange);
      else
        exchange.fault({ kind: "protocol", detail: "request: expected Latin-1 without control characters" });
    }
    return exchange;
  }

  #begin(exchange: Http1ClientExchange): void {
    this.#exchange = exchange;
    this.#state = "head";
    this.#informational = 0;
  }

  drain(): void {
    this.#draining = true;
    if (this.#state === "idle") this.#close();
    else this.#news.tellDrainingSoon();
  }

  close(): void {
    const exchange = this.#exchange;
    if (this.#state === "idle") {
      this.#close();
      return;
    }
    if (this.#state === "closing") return;
    this.breakOff();
    exchange?.fault({ kind: "reset", detail: "connection closed by this side" });
  }

  // What the exchange tells.

  onRequestEnd(): void {
    if (this.#state === "held") this.#finish();
  }

  // Reading.

  protected override read(): boolean {
    switch (this.#state) {
      case "head":
        return this.#readHead();
      case "body":
        return this.#readBody();
      case "idle":
      case "held":
        // Bytes that nobody asked for must not become the response to the next request.
        if (this.input.length > 0) this.#refuse("bytes after the response");
        return false;
      case "closing":
        this.input.clear();
        return false;
    }
  }

  #readHead(): boolean {
    const { input } = this;
    const exchange = this.#exchange;
    if (input.length === 0 || exchange === undefined || exchange.paused) return false;
    const { limits } = this.#options;
    const length = this.headEnd.find(input.bytes, input.start, input.end);
    if (length === BARE_LF) return this.#refuse("head: expected CRLF at the end of each line");
    if ((length === 0 ? input.length : length) > limits.maxHeadBytes)
      return this.#refuse(`head: expected at most ${limits.maxHeadBytes} bytes`, "limit");
    if (length === 0) return false;
    const start = input.start;
    input.start += length;
    const parsed = parseResponseHead(input.bytes, start, input.start, exchange.asked, limits);
    if (parsed.kind === "bad") return this.#refuse(parsed.why, parsed.status === 431 ? "limit" : "protocol");
    if (parsed.status >= 200 || parsed.status === 101) return this.#take(exchange, parsed);
    if (++this.#informational > MAX_INFORMATIONAL)
      return this.#refuse(`informational responses: expected at most ${MAX_INFORMATIONAL}`, "limit");
    exchange.receiver.onInformational(parsed.status, parsed.headers);
    return true;
  }

  #take(exchange: Http1ClientExchange, parsed: ParsedResponse): true {
    const { status, headers, body } = parsed;
    this.#keepAlive = parsed.keepAlive && body.kind !== "tunnel";
    this.#decoder = new BodyDecoder(body, this.#options.limits);
    const ended = body.kind === "none";
    if (body.kind === "tunnel") exchange.openTunnel();
    else if (exchange.asked.upgrade || exchange.asked.method === "CONNECT") exchange.ended = true;
    this.#state = ended ? "held" : "body";
    const done = ended && this.#concludeResponse(exchange);
    exchange.receiver.onResponse({ status, headers }, ended);
    if (done) this.#news.tellCapacity();
    return true;
  }

  #readBody(): boolean {
    const { input } = this;
    const exchange = this.#exchange;
    const decoder = this.#decoder;
    if (exchange === undefined || decoder === undefined || exchange.paused || input.length === 0)
      return false;
    const at = decoder.step(input.bytes, input.start, input.end);
    const moved = at > input.start;
    input.start = at;
    if (decoder.refusal !== undefined) return this.#refuse(decoder.refusal.why);
    const { dataFrom, dataTo } = decoder;
    if (moved && dataTo > dataFrom)
      exchange.receiver.onData(input.bytes.subarray(dataFrom, dataTo), input.lent);
    // The receiver may have given up.
    if (decoder.done && this.#exchange === exchange) this.#endResponse(exchange, decoder);
    return moved;
  }

  #endResponse(exchange: Http1ClientExchange, decoder: BodyDecoder): void {
    this.#state = "held";
    const done = this.#concludeResponse(exchange);
    exchange.receiver.onEnd(decoder.trailers);
    if (done) this.#news.tellCapacity();
  }

  /** Before the receiver is told: it may want to send its next request from within. True when it could. */
  #concludeResponse(exchange: Http1ClientExchange): boolean {
    if (exchange.tunnel) {
      if (exchange.ended) this.#exchange = undefined;
      return false;
    }
    if (this.input.length > 0 || this.peerEnded) this.#keepAlive = false;
    // A server that closes does not read the rest of the request.
    if (!exchange.ended && this.#keepAlive) return false;
    return this.#conclude(exchange);
  }

  #conclude(exchange: Http1ClientExchange): boolean {
    exchange.finish();
    this.#exchange = undefined;
    this.#served++;
    if (!this.#keepAlive || this.#draining) {
      this.#close();
      return false;
    }
    this.#state = "idle";
    return true;
  }

  /** The request ended after its response. */
  #finish(): void {
    const exchange = this.#exchange;
    if (exchange === undefined) return;
    if (exchange.tunnel) this.#exchange = undefined;
    else if (this.#conclude(exchange)) this.#news.tellCapacitySoon();
  }

  protected override onPeerEnd(): void {
    const exchange = this.#exchange;
    const decoder = this.#decoder;
    if (this.#state === "body" && decoder?.endsWithConnection) {
      if (exchange === undefined || exchange.paused || this.input.length > 0) return;
      this.#endResponse(exchange, decoder);
    } else if (this.#state === "idle") this.#close();
    else if (this.#state === "held" && exchange !== undefined && !exchange.tunnel) {
      this.#keepAlive = false;
      this.#conclude(exchange);
    } else if ((this.#state === "head" || this.#state === "body") && exchange?.paused !== true) {
      const fault = this.#brokenFault("the server closed the connection");
      this.breakOff();
      exchange?.fault(fault);
    }
  }

  protected override isHolding(): boolean {
    return this.#exchange?.paused === true && this.input.length > 0;
  }

  protected override onWritable(): void {
    const exchange = this.#exchange;
    if (exchange !== undefined && !exchange.ended) exchange.receiver.onWritable();
  }

  // Ends.

  #brokenFault(detail: string): HttpFault {
    if (this.output.writes === this.#writesBefore) return { kind: "refused", detail };
    const stale = this.#served > 0 && this.#state === "head" && this.input.length === 0;
    return stale ? { kind: "reset", stale, detail } : { kind: "reset", detail };
  }

  #refuse(why: string, kind: "protocol" | "limit" = "protocol"): false {
    const exchange = this.#exchange;
    this.breakOff();
    exchange?.fault({ kind, detail: `response: ${why}` });
    return false;
  }

  #close(): void {
    if (this.#state === "closing" || this.gone) return;
    this.#state = "closing";
    this.output.end();
    this.deadline.set(CLOSE_TIMEOUT_MS);
    this.#news.tellDrainingSoon();
    this.onReady();
  }

  protected override onDeadline(): void {
    this.breakOff();
  }

  protected override forget(why: string | undefined): void {
    const exchange = this.#exchange;
    this.#exchange = undefined;
    // The response is whole; the rest of the request is nobody's loss.
    if (this.#state === "held" && exchange?.tunnel === false) exchange.finish();
    else if (why !== undefined) exchange?.fault(this.#brokenFault(why));
  }

  protected override onGone(): void {
    this.#news.tellDraining();
    this.#owner.onClosed(this);
  }
}
