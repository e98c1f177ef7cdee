import type { ClientExchange, HttpAbort, ResponseReceiver } from "../exchange.ts";
import type { HeaderFields } from "../headers.ts";

/**
 * An upgrade that is asked for before the server's SETTINGS are here, which say whether it takes one (RFC 8441 §3): on a fresh
 * connection that is every upgrade. It goes out when they have come.
 */
export class EarlyUpgrade implements ClientExchange {
  readonly #send: () => ClientExchange;
  readonly #receiver: ResponseReceiver;
  readonly #forget: (of: EarlyUpgrade) => void;
  #exchange: ClientExchange | undefined;
  /** What does not wait for the answer, as it should. The first write asks for no more. */
  readonly #written: Uint8Array[] = [];
  #end: { readonly trailers: HeaderFields | undefined } | undefined;
  #paused = false;

  constructor(send: () => ClientExchange, receiver: ResponseReceiver, forget: (of: EarlyUpgrade) => void) {
    this.#send = send;
    this.#receiver = receiver;
    this.#forget = forget;
  }

  /** SETTINGS are here, or will never be: `send` knows. */
  begin(): void {
    const exchange = this.#send();
    this.#exchange = exchange;
    if (this.#paused) exchange.pause();
    let isWritable = true;
    for (const chunk of this.#written) isWritable = exchange.write(chunk, false);
    if (this.#end !== undefined) exchange.end(this.#end.trailers);
    else if (this.#written.length > 0 && isWritable) this.#receiver.onWritable();
  }

  write(chunk: Uint8Array, lent: boolean): boolean {
    if (this.#exchange !== undefined) return this.#exchange.write(chunk, lent);
    this.#written.push(lent ? Uint8Array.prototype.slice.call(chunk) : chunk);
    return false;
  }

  end(trailers?: HeaderFields): void {
    if (this.#exchange === undefined) this.#end = { trailers };
    else this.#exchange.end(trailers);
  }

  pause(): void {
    this.#paused = true;
    this.#exchange?.pause();
  }

  resume(): void {
    this.#paused = false;
    this.#exchange?.resume();
  }

  abort(reason: HttpAbort): void {
    if (this.#exchange === undefined) this.#forget(this);
    else this.#exchange.abort(reason);
  }
}
