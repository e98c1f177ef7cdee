/**
 * An exchange the beginning of whose body was read before it was known where it goes. Whoever receives it afterwards gets the
 * body from its start; all else is the exchange's own.
 */

import type {
  BodyReceiver,
  HeaderFields,
  HttpAbort,
  HttpFault,
  RequestHead,
  ResponseHead,
  ServerExchange,
} from "@meltemi/http";
import type { BodyStart } from "../request-context.ts";
import type { HeldBytes } from "./held-body.ts";

/** What a piece costs beside its bytes; a client may send them one by one. */
const PIECE_BYTES = 256;

export class PeekedExchange implements ServerExchange, BodyReceiver {
  readonly request: RequestHead;
  readonly requestEnded = false;
  readonly #exchange: ServerExchange;
  readonly #shared: HeldBytes;
  readonly #onGone: (fault: HttpFault) => void;
  readonly #chunks: Uint8Array[] = [];
  /** Taken of what all requests may hold. */
  #bytes = 0;
  #readBytes = 0;
  #wantedBytes = 0;
  #onPeeked: (() => void) | undefined;
  #end: { readonly trailers: HeaderFields | undefined } | undefined;
  #receiver: BodyReceiver | undefined;
  #paused = false;
  #delivering = false;

  /** `onGone`: the client went away before anyone received the body. */
  constructor(exchange: ServerExchange, shared: HeldBytes, onGone: (fault: HttpFault) => void) {
    this.request = exchange.request;
    this.#exchange = exchange;
    this.#shared = shared;
    this.#onGone = onGone;
  }

  /** Called once, before `receive`. Resolves also when the client goes away. */
  peek(maxBytes: number): Promise<BodyStart> {
    this.#wantedBytes = maxBytes;
    return new Promise((resolve) => {
      this.#onPeeked = () => {
        this.#onPeeked = undefined;
        const whole = Buffer.concat(this.#chunks);
        const isWhole = this.#end !== undefined && whole.length <= maxBytes;
        resolve({ bytes: whole.subarray(0, maxBytes), isWhole });
      };
      this.#exchange.receive(this);
    });
  }

  /** Nobody will receive what was read. */
  forget(): void {
    this.#shared.release(this.#bytes);
    this.#bytes = 0;
    this.#chunks.length = 0;
  }

  onData(chunk: Uint8Array, lent: boolean): void {
    if (this.#receiver !== undefined && this.#chunks.length === 0) {
      this.#receiver.onData(chunk, lent);
      return;
    }
    // The chunk is here: refusing it would lose it. One more than the bound is what holding it back costs.
    const cost = chunk.length + PIECE_BYTES;
    const isHeld = this.#shared.take(cost);
    if (isHeld) this.#bytes += cost;
    this.#readBytes += chunk.length;
    this.#chunks.push(lent ? Uint8Array.prototype.slice.call(chunk) : chunk);
    const isEnough = !isHeld || this.#readBytes > this.#wantedBytes;
    if (isEnough || this.#receiver !== undefined) this.#exchange.pause();
    if (isEnough) this.#onPeeked?.();
  }

  onEnd(trailers: HeaderFields | undefined): void {
    this.#end = { trailers };
    this.#onPeeked?.();
    this.#deliver();
  }

  onWritable(): void {
    this.#receiver?.onWritable();
  }

  onFault(fault: HttpFault): void {
    this.forget();
    if (this.#receiver === undefined) this.#onGone(fault);
    else this.#receiver.onFault(fault);
    this.#onPeeked?.();
  }

  receive(receiver: BodyReceiver): void {
    this.#receiver = receiver;
    this.#deliver();
    if (!this.#paused) this.#exchange.resume();
  }

  pause(): void {
    this.#paused = true;
    this.#exchange.pause();
  }

  resume(): void {
    this.#paused = false;
    this.#deliver();
    if (!this.#paused) this.#exchange.resume();
  }

  inform(status: number, headers: HeaderFields): void {
    this.#exchange.inform(status, headers);
  }

  respond(head: ResponseHead, ended: boolean): void {
    if (ended) this.#stop();
    this.#exchange.respond(head, ended);
  }

  write(chunk: Uint8Array, lent: boolean): boolean {
    return this.#exchange.write(chunk, lent);
  }

  end(trailers?: HeaderFields): void {
    this.#stop();
    this.#exchange.end(trailers);
  }

  abort(reason: HttpAbort): void {
    this.#stop();
    this.#exchange.abort(reason);
  }

  /** After the answer nothing more of the request is delivered. */
  #stop(): void {
    this.forget();
    this.#end = undefined;
  }

  /** What was read, as far as the receiver takes it; then the end, if it has come. */
  #deliver(): void {
    const receiver = this.#receiver;
    if (receiver === undefined || this.#delivering) return;
    this.#delivering = true;
    while (!this.#paused) {
      const chunk = this.#chunks.shift();
      if (chunk === undefined) break;
      receiver.onData(chunk, false);
    }
    this.#delivering = false;
    if (this.#paused || this.#chunks.length > 0) return;
    this.forget();
    const end = this.#end;
    this.#end = undefined;
    if (end !== undefined) receiver.onEnd(end.trailers);
  }
}
