/** One client on a byte channel: reads requests one after another, hands each to the owner, and decides what follows it. */

import type { ByteChannel, ByteConsumer, ChannelFault } from "@meltemi/l4";
import { type Clock, describeError } from "@meltemi/runtime";
import type { HttpFault, ServerConnection, ServerConnectionOwner } from "../exchange.ts";
import { BodyDecoder } from "./body-decoder.ts";
import { Deadline } from "./deadline.ts";
import { TUNNEL } from "./framing.ts";
import { BARE_LF, HeadEnd } from "./head-end.ts";
import { Input } from "./input.ts";
import { type Http1Limits, type Refusal, refuse } from "./limits.ts";
import { Output } from "./output.ts";
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

export interface Http1ServerDeps {
  readonly clock: Clock;
  /** A handler threw or broke the rules of HTTP; its connection is cut. */
  readonly onInternalError: (error: unknown) => void;
}

/**
 * After the last response we finish writing and wait for the client to do so. Closing at once would reset, and a reset overtakes
 * the response (RFC 9112 §9.6). nginx waits 5 s for a byte, 30 s in all.
 */
const LINGER_MS = 10_000;
/** What a client may still send meanwhile; then it is held back until the time is over. */
const LINGER_BYTES = 1024 * 1024;

type State =
  /** Between requests, or within a head. */
  | "head"
  | "body"
  /** The request was read, or waits to become a tunnel: bytes are the next request's or the tunnel's. */
  | "held"
  /** We have finished writing; what comes is dropped. */
  | "closing"
  | "closed";

export class Http1ServerConnection implements ByteConsumer, ServerConnection, ExchangeOwner {
  readonly output: Output;
  draining = false;
  readonly #channel: ByteChannel;
  readonly #owner: ServerConnectionOwner;
  readonly #options: Http1ServerOptions;
  readonly #deps: Http1ServerDeps;
  readonly #input = new Input();
  readonly #headEnd = new HeadEnd();
  readonly #deadline: Deadline;
  #state: State = "head";
  #exchange: Http1ServerExchange | undefined;
  #decoder: BodyDecoder | undefined;
  #headBegun = false;
  #emptyLineSkipped = false;
  #peerEnded = false;
  #channelPaused = false;
  #advancing = false;
  #advanceScheduled = false;
  #lingered = 0;
  #unsent = 0;

  constructor(
    channel: ByteChannel,
    owner: ServerConnectionOwner,
    options: Http1ServerOptions,
    deps: Http1ServerDeps,
  ) {
    this.#channel = channel;
    this.#owner = owner;
    this.#options = options;
    this.#deps = deps;
    this.output = new Output(channel);
    this.#deadline = new Deadline(deps.clock, () => this.#onDeadline());
    this.#deadline.set(options.headTimeoutMs);
    channel.open(this);
  }

  get active(): number {
    return this.#exchange === undefined ? 0 : 1;
  }

  drain(): void {
    this.draining = true;
    if (this.#state === "head" && this.#input.length === 0) this.#close();
  }

  close(): void {
    const exchange = this.#exchange;
    this.breakOff();
    exchange?.fault({ kind: "reset", detail: "connection closed by this side" });
  }

  // What the channel tells.

  onData(chunk: Uint8Array, lent: boolean): void {
    if (this.#state === "closed") return;
    this.#input.add(chunk, lent);
    this.#advance();
  }

  onEnd(): void {
    this.#peerEnded = true;
    this.#advance();
  }

  onDrain(): void {
    this.output.onDrain();
    const exchange = this.#exchange;
    try {
      if (exchange?.state === "responding") exchange.receiver?.onWritable();
    } catch (error) {
      this.onInternalError(error);
    }
    if (this.#channelPaused) this.onReady();
  }

  onClosed(): void {
    this.#onGone({ kind: "reset", detail: "the client closed the connection" });
  }

  onFault(fault: ChannelFault): void {
    this.#onGone({ kind: "reset", detail: fault.kind === "reset" ? "the client reset" : fault.detail });
  }

  // What an exchange tells.

  readToEnd(): boolean {
    const exchange = this.#exchange;
    const unwanted = exchange?.receiver === undefined || exchange.state === "ended";
    while (this.#state === "body" && unwanted && this.#step(this.#decoder as BodyDecoder));
    return this.#state === "held";
  }

  onReady(): void {
    if (this.#advancing || this.#advanceScheduled) return;
    this.#advanceScheduled = true;
    process.nextTick(advanceLater, this);
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
    if (!read || !exchange.keepAlive || this.draining) {
      this.#close();
      return;
    }
    this.#state = "head";
    this.#emptyLineSkipped = false;
    this.#deadline.set(this.#options.idleTimeoutMs);
    if (this.#input.length > 0 || this.#peerEnded || this.#channelPaused) this.onReady();
  }

  breakOff(): void {
    if (this.#state === "closed") return;
    this.#channel.abort("other-side-failed");
    this.#end();
    // The handler may be in the middle of something.
    process.nextTick(tellClosed, this);
  }

  /** A head that was not begun can still be an answer; else the client must see that the response is broken. */
  onHandlerFault(exchange: Http1ServerExchange, why: string): void {
    if (exchange.state === "waiting") {
      exchange.replace(500);
      this.#exchange = undefined;
      this.#close();
    } else this.breakOff();
    this.#deps.onInternalError(new TypeError(`HTTP/1 response: ${why}`));
    exchange.fault({ kind: "protocol", detail: `response: ${why}` });
  }

  // Reading.

  advanceLater(): void {
    this.#advanceScheduled = false;
    this.#advance();
  }

  #advance(): void {
    if (this.#advancing) return;
    this.#advancing = true;
    try {
      while (this.#read());
      if (this.#peerEnded) this.#onPeerEnd();
    } catch (error) {
      this.onInternalError(error);
    }
    this.#advancing = false;
    this.#input.settle();
    this.#holdBack();
  }

  /** True when something was done, so that there may be more to do. */
  #read(): boolean {
    switch (this.#state) {
      case "head":
        return this.#readHead();
      case "body":
        return this.#readBody();
      case "held":
        return this.#deliverEnd();
      case "closing":
        this.#lingered += this.#input.length;
        this.#input.clear();
        return false;
      case "closed":
        this.#input.clear();
        return false;
    }
  }

  #readHead(): boolean {
    const input = this.#input;
    // A client that sends requests and reads no response would else fill the channel with responses.
    if (input.length === 0 || this.output.blocked) return false;
    const { limits, headTimeoutMs } = this.#options;
    const length = this.#headEnd.find(input.bytes, input.start, input.end);
    if (length === BARE_LF) return this.#refuse(refuse("head: expected CRLF at the end of each line"));
    if ((length === 0 ? input.length : length) > limits.maxHeadBytes)
      return this.#refuse(refuse(`head: expected at most ${limits.maxHeadBytes} bytes`, 431));
    if (length === 0) {
      if (!this.#headBegun) this.#deadline.set(headTimeoutMs);
      this.#headBegun = true;
      return false;
    }
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
    this.#deadline.clear();
    const exchange = new Http1ServerExchange(parsed, this);
    this.#exchange = exchange;
    this.#decoder = parsed.body.kind === "none" ? undefined : new BodyDecoder(parsed.body, limits);
    this.#state = this.#decoder === undefined ? "held" : "body";
    this.#owner.onExchange(exchange);
    return true;
  }

  #readBody(): boolean {
    const exchange = this.#exchange;
    const decoder = this.#decoder;
    if (exchange?.receiver === undefined || decoder === undefined || exchange.paused) return false;
    const moved = this.#step(decoder);
    if (decoder.refusal !== undefined) return this.#refuseBody(exchange, decoder.refusal);
    const { dataFrom, dataTo } = decoder;
    if (moved && dataTo > dataFrom)
      exchange.receiver.onData(this.#input.bytes.subarray(dataFrom, dataTo), this.#input.lent);
    return moved;
  }

  #step(decoder: BodyDecoder): boolean {
    const input = this.#input;
    if (input.length === 0) return false;
    const at = decoder.step(input.bytes, input.start, input.end);
    const moved = at > input.start;
    input.start = at;
    if (decoder.done) this.#state = "held";
    return moved && decoder.refusal === undefined;
  }

  /** Tells the receiver, once, that the request is whole. */
  #deliverEnd(): boolean {
    const exchange = this.#exchange;
    if (exchange?.receiver === undefined || exchange.paused || exchange.endDelivered) return false;
    const refusedTunnel = exchange.state !== "waiting" && !exchange.tunnel;
    if (exchange.mayTunnel && !refusedTunnel && !(exchange.tunnel && this.#peerEnded)) return false;
    exchange.endDelivered = true;
    if (exchange.tunnel && exchange.state === "ended") this.#exchange = undefined;
    exchange.receiver.onEnd(this.#decoder?.trailers);
    return true;
  }

  /** All that could be used of the bytes before the end was used. */
  #onPeerEnd(): void {
    const exchange = this.#exchange;
    if (this.#state === "head") this.#close();
    else if (exchange === undefined) return;
    else if (exchange.tunnel) {
      if (this.#state !== "body" || this.#input.length > 0 || exchange.receiver === undefined) return;
      this.#state = "held";
      this.#deliverEnd();
    } else if (this.#state === "held" || exchange.receiver === undefined || !exchange.paused)
      this.#abandon(exchange);
  }

  /** As Envoy: whoever finishes writing before the response is there does not wait for it. */
  #abandon(exchange: Http1ServerExchange): void {
    this.breakOff();
    exchange.fault({ kind: "reset", detail: "the client closed the connection" });
  }

  /** Bytes that nobody takes now stay with the client, but for one read. */
  #holdBack(): void {
    const exchange = this.#exchange;
    const taking =
      (this.#state === "head" && !this.output.blocked) ||
      (this.#state === "closing" && this.#lingered < LINGER_BYTES) ||
      (this.#state === "body" && exchange?.receiver !== undefined && !exchange.paused);
    const hold = !taking && (this.#input.length > 0 || this.#state === "closing");
    if (hold === this.#channelPaused || this.#state === "closed") return;
    this.#channelPaused = hold;
    if (hold) this.#channel.pause();
    else this.#channel.resume();
  }

  // Ends.

  #refuse(refusal: Refusal): true {
    this.output.text(`${statusLine(refusal.status)}content-length: 0\r\nconnection: close\r\n\r\n`);
    this.#close();
    this.#owner.onRefused(refusal.status, refusal.why);
    return true;
  }

  #refuseBody(exchange: Http1ServerExchange, refusal: Refusal): true {
    this.#exchange = undefined;
    if (exchange.state === "waiting") {
      exchange.replace(refusal.status);
      this.#close();
    } else this.breakOff();
    exchange.fault({ kind: "protocol", detail: refusal.why });
    return true;
  }

  #onDeadline(): void {
    const unsent = this.#channel.bufferedBytes;
    if (this.#state === "closing" && unsent > 0 && unsent < this.#unsent) {
      // A slow client still reads its response.
      this.#unsent = unsent;
      this.#deadline.set(LINGER_MS);
    } else if (this.#state === "closing") this.breakOff();
    else if (this.#state === "head" && this.#headBegun)
      this.#refuse(refuse(`head: expected its end within ${this.#options.headTimeoutMs} ms`, 408));
    else if (this.#state === "head") this.#close();
  }

  #close(): void {
    if (this.#state === "closing" || this.#state === "closed") return;
    this.#state = "closing";
    this.output.end();
    this.#unsent = this.#channel.bufferedBytes;
    this.#deadline.set(LINGER_MS);
    this.onReady();
  }

  #onGone(fault: HttpFault): void {
    if (this.#state === "closed") return;
    const exchange = this.#exchange;
    this.#end();
    exchange?.fault(fault);
    process.nextTick(tellClosed, this);
  }

  onInternalError(error: unknown): void {
    this.breakOff();
    this.#deps.onInternalError(new Error(`HTTP/1 exchange: ${describeError(error)}`, { cause: error }));
  }

  #end(): void {
    this.#state = "closed";
    this.#exchange = undefined;
    this.#deadline.stop();
    this.output.discard();
    this.#input.clear();
  }

  tellClosed(): void {
    try {
      this.#owner.onClosed();
    } catch (error) {
      this.#deps.onInternalError(error);
    }
  }
}

const advanceLater = (connection: Http1ServerConnection): void => connection.advanceLater();
const tellClosed = (connection: Http1ServerConnection): void => connection.tellClosed();
