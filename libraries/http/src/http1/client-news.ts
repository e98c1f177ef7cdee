/** What the owner of a client connection hears of it before its end: at once, or outside of the call that causes it. */

import type { ClientConnection, ClientConnectionOwner } from "../exchange.ts";

/** The connection, as its news know it. */
interface Subject extends ClientConnection {
  /** The owner threw. */
  onInternalError(error: unknown): void;
}

export class ClientNews {
  readonly #connection: Subject;
  readonly #owner: ClientConnectionOwner;
  #drainingTold = false;

  constructor(connection: Subject, owner: ClientConnectionOwner) {
    this.#connection = connection;
    this.#owner = owner;
  }

  /** Once, however often it is asked for. */
  tellDraining(): void {
    if (this.#drainingTold) return;
    this.#drainingTold = true;
    this.#owner.onDraining(this.#connection);
  }

  tellDrainingSoon(): void {
    process.nextTick(drainingLater, this);
  }

  tellCapacity(): void {
    if (this.#connection.capacity > 0) this.#owner.onCapacity(this.#connection);
  }

  tellCapacitySoon(): void {
    process.nextTick(capacityLater, this);
  }

  onInternalError(error: unknown): void {
    this.#connection.onInternalError(error);
  }
}

function capacityLater(news: ClientNews): void {
  try {
    news.tellCapacity();
  } catch (error) {
    news.onInternalError(error);
  }
}

function drainingLater(news: ClientNews): void {
  try {
    news.tellDraining();
  } catch (error) {
    news.onInternalError(error);
  }
}
