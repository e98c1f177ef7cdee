/** One client on a byte channel: reads requests one after another, hands each to the owner, and decides what follows it. */

import type { ByteChannel } from "@meltemi/l4";
import type { ServerConnection, ServerConnectionOwner } from "../exchange.ts";
import { BodyDecoder } from "./body-decoder.ts";
import { Http1Connection, type Http1ConnectionDeps } from "./connection.ts";
import { TUNNEL } from "./framing.ts";
import { BARE_LF } from "./head-end.ts";
import { type Http1Limits, type Refusal, refuse } from "./limits.ts";
import { LINGER_MS, Linger } from "./linger.ts";
import { parseRequestHead } from "./request-head.ts";
import { type ExchangeOwner, Http1ServerExchange } from "./server-exchange.ts";
import { statusLine } from "./status-text.ts";

export interface Http1ServerOptions {
  readonly limits: Http1Limits;
  /** From the first byte of a head to its last, and from the opening of a connection to its first request. */
  readonly headTimeoutMs: number;
  /** Between two requests. */
  readonly idleTimeoutMs: number;
}

/** `head`: also between requests. `held`: read to its end, or waits to become a tunnel. `closing`: all is written, what comes is dropped. */
type State = "head" | "body" | "held" | "closing";

export class Http1ServerConnection extends Http1Connection implements ServerConnection, ExchangeOwner {
  draining = false;
  /** How long it stays between two requests. */
  #idleMs: number;
  readonly #owner: ServerConnectionOwner;
  readonly #options: Http1ServerOptions;
  #state: State = "head";
  #exchange: Http1ServerExchange | undefined;
  #decoder: BodyDecoder | undefined;
  #headBegun = false;
  #emptyLineSkipped = false;
  #linger: Linger | undefined;

  constructor(
    channel: ByteChannel,
    owner: ServerConnectionOwner,
    options: Http1ServerOptions,
    deps: Http1ConnectionDeps,
  ) {
    super(channel, deps);
    this.#owner = owner;
    this.#options = options;
    this.#idleMs = options.idleTimeoutMs;
    this.deadline.set(options.headTimeoutMs);
  }

  get active(): number {
    return this.#exchange === undefined ? 0 : 1;
  }

  drain(idleMs = 0): void {
    this.draining = true;
    this.#idleMs = Math.min(idleMs, this.#idleMs);
    if (this.#state === "head" && this.input.length === 0) this.#awaitRequest();
  }

  close(): void {
    const exchange = this.#exchange;
    this.breakOff();
    exchange?.fault({ kind: "reset", detail: "connection closed by this side" });
  }

  // What an exchange tells.

  readToEnd(): boolean {
    const exchange = this.#exchange;
    const decoder = this.#decoder;
    const unwanted = exchange?.receiver === undefined || exchange.state === "ended";
    if (unwanted && decoder !== undefined) while (this.#state === "body" && this.#step(decoder));
    return this.#state === "held";
  }

  isRestHere(): boolean {
    return this.#state === "held" || (this.#decoder?.missingBytes ?? 0) <= this.input.length;
  }

  onTunnel(): void {
    this.#decoder = new BodyDecoder(TUNNEL, this.#options.limits);
    this.#state = "body";
    this.onReady();
  }

  onResponseEnd(): void {
    const exchange = this.#exchange;
    if (exchange === undefined) return;
    if (exchange.tunnel) {
      this.output.end();
      if (this.#state === "held") this.#exchange = undefined;
      return;
    }
    const read = this.readToEnd();
    this.#exchange = undefined;
    if (!read || !exchange.keepAlive) {
      this.#close();
      return;
    }
    this.#state = "head";
    this.#emptyLineSkipped = false;
    this.#awaitRequest();
    if (this.input.length > 0 || this.peerEnded || this.channelPaused) this.onReady();
  }

  /** A head that was not begun can still be an answer; else the client must see that the response is broken. */
  onHandlerFault(exchange: Http1ServerExchange, why: string): void {
    this.#giveUp(exchange, 500, `response: ${why}`);
    this.deps.onInternalError(new TypeError(`HTTP/1 response: ${why}`));
  }

  // Reading.

  protected override read(): boolean {
    switch (this.#state) {
      case "head":
        return this.#readHead();
      case "body":
        return this.#readBody();
      case "held":
        return this.#deliverEnd();
      case "closing":
        this.#linger?.drop(this.input.length);
        this.input.clear();
        return false;
    }
  }

  #readHead(): boolean {
    const { input } = this;
    // A client that sends requests and reads no response would else fill the channel with responses.
    if (input.length === 0 || this.output.blocked) return false;
    const { limits } = this.#options;
    const length = this.headEnd.find(input.bytes, input.start, input.end);
    if (length === BARE_LF) return this.#refuse(refuse("head: expected CRLF at the end of each line"));
    if ((length === 0 ? input.length : length) > limits.maxHeadBytes)
      return this.#refuse(refuse(`head: expected at most ${limits.maxHeadBytes} bytes`, 431));
    if (length === 0) return this.#awaitHead();
    const start = input.start;
    input.start += length;
    if (length === 2 && !this.#emptyLineSkipped) {
      // Some clients end a body with one line too many (RFC 9112 §2.2).
      this.#emptyLineSkipped = true;
      return true;
    }
    const parsed = parseRequestHead(input.bytes, start, input.start, limits);
    if (parsed.kind === "bad") return this.#refuse(parsed);
    this.#headBegun = false;
    this.deadline.clear();
    const exchange = new Http1ServerExchange(parsed, this);
    this.#exchange = exchange;
    this.#decoder = parsed.body.kind === "none" ? undefined : new BodyDecoder(parsed.body, limits);
    this.#state = this.#decoder === undefined ? "held" : "body";
    this.#owner.onExchange(exchange);
    return true;
  }

  /** A draining connection that never said so is good for one more request: the client may have sent it already. */
  #awaitRequest(): void {
    if (this.#idleMs > 0) this.deadline.set(this.#idleMs);
    else this.#close();
  }

  #awaitHead(): false {
    if (!this.#headBegun) this.deadline.set(this.#options.headTimeoutMs);
    this.#headBegun = true;
    return false;
  }

  #readBody(): boolean {
    const exchange = this.#exchange;
    const decoder = this.#decoder;
    if (exchange?.receiver === undefined || decoder === undefined || exchange.paused) return false;
    const moved = this.#step(decoder);
    if (decoder.refusal !== undefined) {
      this.#giveUp(exchange, decoder.refusal.status, decoder.refusal.why);
      return true;
    }
    const { dataFrom, dataTo } = decoder;
    if (moved && dataTo > dataFrom)
      exchange.receiver.onData(this.input.bytes.subarray(dataFrom, dataTo), this.input.lent);
    return moved;
  }

  #step(decoder: BodyDecoder): boolean {
    const { input } = this;
    if (input.length === 0 || decoder.refusal !== undefined) return false;
    const at = decoder.step(input.bytes, input.start, input.end);
    const moved = at > input.start;
    input.start = at;
    if (decoder.done) this.#state = "held";
    return moved;
  }

  /** Tells the receiver, once, that the request is whole. */
  #deliverEnd(): boolean {
    const exchange = this.#exchange;
    if (exchange?.receiver === undefined || exchange.paused || exchange.endDelivered) return false;
    if (exchange.mayTunnel && !this.#isTunnelDecided(exchange)) return false;
    exchange.endDelivered = true;
    if (exchange.tunnel && exchange.state === "ended") this.#exchange = undefined;
    exchange.receiver.onEnd(this.#decoder?.trailers);
    return true;
  }

  /** The change of protocol was refused, or the tunnel's end has come. */
  #isTunnelDecided(exchange: Http1ServerExchange): boolean {
    return exchange.tunnel ? this.peerEnded : exchange.state !== "waiting";
  }

  protected override onPeerEnd(): void {
    const exchange = this.#exchange;
    if (this.#state === "head") this.#close();
    else if (exchange === undefined) return;
    else if (exchange.tunnel) {
      if (this.#state !== "body" || this.input.length > 0 || exchange.receiver === undefined) return;
      this.#state = "held";
      this.#deliverEnd();
    } else if (
      exchange.receiver === undefined ||
      !exchange.paused ||
      !this.isRestHere() ||
      this.#state === "held"
    ) {
      // As Envoy: whoever finishes writing before the response is there does not wait for it.
      this.breakOff();
      exchange.fault({ kind: "reset", detail: "the client closed the connection" });
    }
  }

  protected override isHolding(): boolean {
    const exchange = this.#exchange;
    switch (this.#state) {
      case "head":
        return this.output.blocked && this.input.length > 0;
      case "body":
        return this.input.length > 0 && (exchange?.receiver === undefined || exchange.paused);
      case "held":
        return this.input.length > 0;
      case "closing":
        return this.#linger?.isFull === true;
    }
  }

  protected override onWritable(): void {
    const exchange = this.#exchange;
    if (exchange?.state === "responding") exchange.receiver?.onWritable();
  }

  // Ends.

  #refuse(refusal: Refusal): true {
    this.output.text(`${statusLine(refusal.status)}content-length: 0\r\nconnection: close\r\n\r\n`);
    this.#close();
    this.#owner.onRefused(refusal.status, refusal.why);
    return true;
  }

  #giveUp(exchange: Http1ServerExchange, status: number, why: string): void {
    if (exchange.state === "waiting") {
      exchange.replace(status);
      this.#exchange = undefined;
      this.#close();
    } else this.breakOff();
    exchange.fault({ kind: "protocol", detail: why });
  }

  protected override onDeadline(): void {
    if (this.#state === "closing") {
      if (this.#linger?.isStillRead() === true) this.deadline.set(LINGER_MS);
      else this.breakOff();
    } else if (this.#state !== "head") return;
    else if (this.#headBegun)
      this.#refuse(refuse(`head: expected its end within ${this.#options.headTimeoutMs} ms`, 408));
    else this.#close();
  }

  #close(): void {
    if (this.#state === "closing" || this.gone) return;
    this.#state = "closing";
    this.output.end();
    this.#linger = new Linger(this.channel);
    this.deadline.set(LINGER_MS);
    this.onReady();
  }

  protected override forget(why: string | undefined): void {
    const exchange = this.#exchange;
    this.#exchange = undefined;
    if (why !== undefined) exchange?.fault({ kind: "reset", detail: why });
  }

  protected override onGone(): void {
    this.#owner.onClosed();
  }
}
