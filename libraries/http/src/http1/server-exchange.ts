/** One request on a server connection: its receiver, and the writing of its response. Reading is the connection's. */

import type {
  BodyReceiver,
  HttpAbort,
  HttpFault,
  RequestHead,
  ResponseHead,
  ServerExchange,
} from "../exchange.ts";
import { HeaderFields } from "../headers.ts";
import { BodyEncoder } from "./body-encoder.ts";
import { type HeadText, informationalText, responseHeadText, type UnwritableHead } from "./head-text.ts";
import type { Output } from "./output.ts";
import type { ParsedRequest } from "./request-head.ts";

/** The connection, as an exchange sees it. */
export interface ExchangeOwner {
  readonly output: Output;
  readonly draining: boolean;
  /** True when the request was read to its end. What was received of it and nobody wants is dropped first. */
  readToEnd(): boolean;
  /** What was received may hold the rest of the body. */
  isRestHere(): boolean;
  /** A receiver is there, or takes more. */
  onReady(): void;
  onTunnel(): void;
  onResponseEnd(): void;
  /** Ends the connection at once. */
  breakOff(): void;
  /** The handler broke the rules of HTTP; the exchange is over. */
  onHandlerFault(exchange: Http1ServerExchange, why: string): void;
  onInternalError(error: unknown): void;
}

const CONTINUE = "HTTP/1.1 100 Continue\r\n\r\n";

export class Http1ServerExchange implements ServerExchange {
  readonly request: RequestHead;
  readonly requestEnded: boolean;
  receiver: BodyReceiver | undefined;
  paused = false;
  /** The receiver was told of the end of the request. */
  endDelivered = false;
  /** After the response the connection takes another request. */
  keepAlive: boolean;
  /** Accepted upgrade or CONNECT. */
  tunnel = false;
  state: "waiting" | "responding" | "ended" | "over" = "waiting";
  /** Of the request as it came; a handler may change its copy. */
  readonly #method: string;
  readonly #upgrade: string | undefined;
  readonly #modern: boolean;
  readonly #owner: ExchangeOwner;
  #encoder: BodyEncoder | undefined;
  #owesContinue: boolean;
  /** For a receiver that comes too late. */
  #fault: HttpFault | undefined;

  constructor(parsed: ParsedRequest, owner: ExchangeOwner) {
    const { head } = parsed;
    this.request = head;
    this.#method = head.method;
    this.#upgrade = head.upgrade;
    this.#modern = head.version === "HTTP/1.1";
    this.requestEnded = parsed.body.kind === "none" && !this.mayTunnel;
    this.keepAlive = parsed.keepAlive;
    this.#owesContinue = head.expectsContinue;
    this.#owner = owner;
  }

  /** The client asked to change the protocol. */
  get mayTunnel(): boolean {
    return this.#upgrade !== undefined || this.#method === "CONNECT";
  }

  receive(receiver: BodyReceiver): void {
    this.receiver = receiver;
    if (this.#fault !== undefined) {
      process.nextTick(deliverFault, receiver, this.#fault, this.#owner);
      return;
    }
    if (this.#owesContinue && this.state === "waiting") this.#owner.output.text(CONTINUE);
    this.#owesContinue = false;
    this.#owner.onReady();
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    if (!this.paused) return;
    this.paused = false;
    this.#owner.onReady();
  }

  /** HTTP/1.0 has no informational responses, and 100 is for who waits for it. */
  inform(status: number, headers: HeaderFields): void {
    if (this.state !== "waiting" || !this.#modern || (status === 100 && !this.#owesContinue)) return;
    if (status === 100) this.#owesContinue = false;
    this.#writeHead(informationalText(status, headers));
  }

  respond(head: ResponseHead, ended: boolean): void {
    if (this.state !== "waiting") return;
    const { output, draining } = this.#owner;
    // What follows a refused CONNECT may be meant for the tunnel and must not be taken for a request.
    const refusedTunnel = this.#method === "CONNECT" && head.status >= 300;
    this.keepAlive &&= this.#canReadOn(ended) && !draining && !refusedTunnel;
    const answered = {
      method: this.#method,
      modern: this.#modern,
      upgrade: this.#upgrade,
      keepAlive: this.keepAlive,
    };
    const text = this.#writeHead(responseHeadText(head, ended, answered));
    if (text === undefined) return;
    this.state = "responding";
    this.#encoder = new BodyEncoder(text.body, output);
    if (text.body.kind === "untilClose") this.keepAlive = false;
    this.tunnel = text.body.kind === "tunnel";
    if (this.tunnel) this.#owner.onTunnel();
    else if (this.mayTunnel) this.#owner.onReady();
    if (ended) this.end();
  }

  /** A body that is still to come, and that nobody will read, is the end of the connection: better said in the head. */
  #canReadOn(ended: boolean): boolean {
    if (this.mayTunnel) return true;
    if (ended) return this.#owner.readToEnd();
    // A paused receiver has most likely nowhere to put the rest.
    const isRead = this.receiver !== undefined && !this.paused;
    return isRead || (!this.#owesContinue && this.#owner.isRestHere());
  }

  #writeHead(text: HeadText | UnwritableHead): HeadText | undefined {
    if (text.kind === "bad") this.#owner.onHandlerFault(this, text.why);
    else if (this.#owner.output.head(text.text, text.lines, false)) return text;
    else this.#owner.onHandlerFault(this, "field value: expected Latin-1 without control characters");
    return undefined;
  }

  write(chunk: Uint8Array, lent: boolean): boolean {
    if (this.state !== "responding" || this.#encoder === undefined) return true;
    const fault = this.#encoder.write(chunk, lent);
    if (fault === undefined) return !this.#owner.output.blocked;
    this.#owner.onHandlerFault(this, fault);
    return true;
  }

  end(trailers?: HeaderFields): void {
    if (this.state !== "responding" || this.#encoder === undefined) return;
    const fault = this.#encoder.end(trailers);
    if (fault !== undefined) {
      this.#owner.onHandlerFault(this, fault);
      return;
    }
    this.state = "ended";
    this.#owner.onResponseEnd();
  }

  abort(_reason: HttpAbort): void {
    if (this.state === "over" || (this.state === "ended" && !this.tunnel)) return;
    this.state = "over";
    this.#owner.breakOff();
  }

  /** The last call to the receiver, which is told later: it may be in the middle of a call to us. */
  fault(fault: HttpFault): void {
    if (this.state === "over") return;
    const told = this.state === "ended" && !this.tunnel;
    this.state = "over";
    if (told) return;
    this.#fault = fault;
    if (this.receiver !== undefined) process.nextTick(deliverFault, this.receiver, fault, this.#owner);
  }

  /** Answers in the handler's place, before it did; its own answer is then ignored. */
  replace(status: number): void {
    this.#encoder = undefined;
    this.#writeHead(
      responseHeadText({ status, headers: new HeaderFields() }, true, {
        method: this.#method,
        modern: this.#modern,
        upgrade: undefined,
        keepAlive: false,
      }),
    );
  }
}

function deliverFault(receiver: BodyReceiver, fault: HttpFault, owner: ExchangeOwner): void {
  try {
    receiver.onFault(fault);
  } catch (error) {
    owner.onInternalError(error);
  }
}
