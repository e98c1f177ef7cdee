/** The server side of HTTP/1.0 and HTTP/1.1, for many connections with the same bounds. */

import type { ByteChannel, ByteConsumer } from "@meltemi/l4";
import { delay } from "@meltemi/runtime";
import type { ServerConnection, ServerConnectionOwner, ServerExchange } from "../exchange.ts";
import type { Http1ConnectionDeps } from "./connection.ts";
import { DEFAULT_HTTP1_LIMITS } from "./limits.ts";
import { Http1ServerConnection, type Http1ServerOptions } from "./server-connection.ts";

/** One client. Whoever opened the channel itself, to look at its first bytes, forwards every call to it. */
export interface Http1ServerChannel extends ServerConnection, ByteConsumer {}

export interface Http1Server {
  readonly connections: number;
  /**
   * Takes over a channel that nobody has opened, or, with `firstBytes`, one that the caller has opened and read these bytes from:
   * it then forwards all calls to what is returned.
   */
  accept(channel: ByteChannel, owner: ServerConnectionOwner, firstBytes?: Uint8Array): Http1ServerChannel;
  /** Drains every connection, idle ones at once; resolves when all are gone, or after `deadlineMs` when the rest was cut. */
  drain(deadlineMs: number): Promise<{ readonly cutExchanges: number }>;
}

/** nginx's and Node's minute for a head; Envoy has no bound unless asked. Envoy's hour between requests. */
export const HTTP1_SERVER_DEFAULTS: Http1ServerOptions = {
  limits: DEFAULT_HTTP1_LIMITS,
  headTimeoutMs: 60_000,
  idleTimeoutMs: 3_600_000,
};

export function createHttp1Server(options: Http1ServerOptions, deps: Http1ConnectionDeps): Http1Server {
  return new Server(options, deps);
}

class Server implements Http1Server {
  readonly #options: Http1ServerOptions;
  readonly #deps: Http1ConnectionDeps;
  readonly #open = new Set<Http1ServerConnection>();
  readonly #allGone = new AbortController();
  #draining = false;

  constructor(options: Http1ServerOptions, deps: Http1ConnectionDeps) {
    this.#options = options;
    this.#deps = deps;
  }

  get connections(): number {
    return this.#open.size;
  }

  accept(channel: ByteChannel, user: ServerConnectionOwner, firstBytes?: Uint8Array): Http1ServerChannel {
    const owner = new Owner(this, user);
    const connection = new Http1ServerConnection(channel, owner, this.#options, this.#deps);
    owner.connection = connection;
    this.#open.add(connection);
    if (this.#draining) connection.draining = true;
    if (firstBytes === undefined) channel.open(connection);
    else connection.onData(firstBytes, false);
    return connection;
  }

  async drain(deadlineMs: number): Promise<{ readonly cutExchanges: number }> {
    this.#draining = true;
    for (const connection of this.#open) connection.drain();
    if (this.#open.size > 0)
      await delay(this.#deps.clock, deadlineMs, this.#allGone.signal).catch(() => undefined);
    let cutExchanges = 0;
    for (const connection of this.#open) {
      cutExchanges += connection.active;
      connection.close();
    }
    return { cutExchanges };
  }

  onClosed(connection: Http1ServerConnection): void {
    this.#open.delete(connection);
    if (this.#draining && this.#open.size === 0) this.#allGone.abort();
  }
}

/** The user of one connection, behind the server's own book. */
class Owner implements ServerConnectionOwner {
  readonly #server: Server;
  readonly #user: ServerConnectionOwner;
  connection: Http1ServerConnection | undefined;

  constructor(server: Server, user: ServerConnectionOwner) {
    this.#server = server;
    this.#user = user;
  }

  onExchange(exchange: ServerExchange): void {
    this.#user.onExchange(exchange);
  }

  onRefused(status: number, detail: string): void {
    this.#user.onRefused(status, detail);
  }

  onClosed(): void {
    if (this.connection !== undefined) this.#server.onClosed(this.connection);
    this.#user.onClosed();
  }
}
