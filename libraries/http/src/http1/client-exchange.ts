/** One request on a client connection: the writing of its body. Reading its response is the connection's. */

import type { ClientExchange, HttpAbort, HttpFault, ResponseReceiver } from "../exchange.ts";
import type { HeaderFields } from "../headers.ts";
import { BodyEncoder } from "./body-encoder.ts";
import { type BodyFraming, TUNNEL } from "./framing.ts";
import type { Output } from "./output.ts";
import type { Asked } from "./response-head.ts";

/** The connection, as an exchange sees it. */
export interface ClientExchangeOwner {
  readonly output: Output;
  /** The receiver takes more. */
  onReady(): void;
  onRequestEnd(): void;
  /** Ends the connection at once. */
  breakOff(): void;
  onInternalError(error: unknown): void;
}

export class Http1ClientExchange implements ClientExchange {
  readonly receiver: ResponseReceiver;
  readonly asked: Asked;
  paused = false;
  /** The request was written to its end. */
  ended: boolean;
  tunnel = false;
  /** Nothing further is told or written. */
  #over = false;
  readonly #owner: ClientExchangeOwner;
  #encoder: BodyEncoder | undefined;

  /** Without framing nothing may be written before the server accepted the change of protocol. */
  constructor(
    receiver: ResponseReceiver,
    asked: Asked,
    ended: boolean,
    framing: BodyFraming | undefined,
    owner: ClientExchangeOwner,
  ) {
    this.receiver = receiver;
    this.asked = asked;
    this.ended = ended;
    this.#owner = owner;
    this.#encoder = framing === undefined ? undefined : new BodyEncoder(framing, owner.output);
  }

  write(chunk: Uint8Array, lent: boolean): boolean {
    if (this.#over || this.ended) return true;
    const fault =
      this.#encoder === undefined
        ? "bytes before the change of protocol was accepted"
        : this.#encoder.write(chunk, lent);
    if (fault === undefined) return !this.#owner.output.blocked;
    this.#break(fault);
    return true;
  }

  end(trailers?: HeaderFields): void {
    if (this.#over || this.ended) return;
    const fault = this.#encoder?.end(trailers);
    if (fault !== undefined) {
      this.#break(fault);
      return;
    }
    this.ended = true;
    if (this.tunnel) this.#owner.output.end();
    this.#owner.onRequestEnd();
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    if (!this.paused) return;
    this.paused = false;
    if (!this.#over) this.#owner.onReady();
  }

  abort(_reason: HttpAbort): void {
    if (this.#over) return;
    this.#over = true;
    this.#owner.breakOff();
  }

  /** The server accepted: from now on bytes go both ways. */
  openTunnel(): void {
    this.tunnel = true;
    this.#encoder = new BodyEncoder(TUNNEL, this.#owner.output);
    if (this.ended) this.#owner.output.end();
  }

  /** Both sides are done, or what is left of the request can no longer be sent. */
  finish(): void {
    this.#over = true;
  }

  /** The last call to the receiver; it may be in the middle of a call to us. */
  fault(fault: HttpFault): void {
    if (this.#over) return;
    this.#over = true;
    process.nextTick(deliverFault, this.receiver, fault, this.#owner);
  }

  #break(why: string): void {
    this.#owner.breakOff();
    this.fault({ kind: "protocol", detail: `request: ${why}` });
  }
}

function deliverFault(receiver: ResponseReceiver, fault: HttpFault, owner: ClientExchangeOwner): void {
  try {
    receiver.onFault(fault);
  } catch (error) {
    owner.onInternalError(error);
  }
}
