/** HTTP/2 to clients, over any byte channel. */
import type { ByteChannel, ByteConsumer } from "@meltemi/l4";
import { type Clock, delay } from "@meltemi/runtime";
import type { ServerConnection, ServerConnectionOwner, ServerExchange } from "../exchange.ts";
import {
  ChannelConnection,
  type ChannelConnectionDeps,
  type ChannelConnectionOwner,
  type Http2End,
} from "./channel-connection.ts";
import type { Http2ConnectionOptions } from "./options.ts";
import { BatchBuffers } from "./outbox.ts";
import { ServerStream } from "./server-stream.ts";
import type { Http2Stream } from "./stream.ts";
import type { StreamHost } from "./stream-host.ts";

export interface Http2ServerDeps {
  readonly clock: Clock;
  /** A connection was cut because this program, or a handler given here, threw. */
  readonly onInternalError: (error: unknown) => void;
  /** For the log: why a connection ended. */
  readonly onConnectionEnd?: (end: Http2End) => void;
}

/** One client. Whoever opened the channel itself, to look at its first bytes, forwards every call to it. */
export interface Http2ServerChannel extends ServerConnection, ByteConsumer {}

export interface Http2Server {
  readonly connections: number;
  /**
   * Takes over a channel that nobody has opened, or, with `firstBytes`, one that the caller has opened and read these bytes from:
   * it then forwards all calls to what is returned. The first bytes are the client's preface.
   */
  accept(channel: ByteChannel, owner: ServerConnectionOwner, firstBytes?: Uint8Array): Http2ServerChannel;
  /**
   * Drains every connection, with GOAWAY twice, so that no request under way is lost (RFC 9113 §6.8); resolves when all are gone,
   * or after `deadlineMs` when the rest was cut.
   */
  drain(deadlineMs: number): Promise<{ readonly cutExchanges: number }>;
}

/** One write to a channel; responses are small, and bulk comes in pieces of this size anyway. */
const BATCH_BYTES = 64 * 1024;

export function createHttp2Server(options: Http2ConnectionOptions, deps: Http2ServerDeps): Http2Server {
  return new Server(options, deps);
}

class Server implements Http2Server {
  readonly deps: Http2ServerDeps;
  readonly #options: Http2ConnectionOptions;
  readonly #connectionDeps: ChannelConnectionDeps;
  readonly #open = new Set<ChannelConnection>();
  readonly #allGone = new AbortController();
  #draining = false;

  constructor(options: Http2ConnectionOptions, deps: Http2ServerDeps) {
    this.deps = deps;
    this.#options = options;
    this.#connectionDeps = { clock: deps.clock, buffers: new BatchBuffers(BATCH_BYTES) };
  }

  get connections(): number {
    return this.#open.size;
  }

  accept(channel: ByteChannel, owner: ServerConnectionOwner, firstBytes?: Uint8Array): Http2ServerChannel {
    const served = new Served(this, owner);
    const connection = new ChannelConnection("server", channel, this.#options, served, this.#connectionDeps);
    served.connection = connection;
    this.#open.add(connection);
    connection.start(true);
    if (firstBytes === undefined) channel.open(connection);
    else connection.onData(firstBytes, false);
    if (this.#draining) connection.drain();
    return connection;
  }

  async drain(deadlineMs: number): Promise<{ readonly cutExchanges: number }> {
    this.#draining = true;
    for (const connection of [...this.#open]) connection.drain();
    if (this.#open.size === 0) return { cutExchanges: 0 };
    // Rejects when all are gone, which is the good end.
    await delay(this.deps.clock, deadlineMs, this.#allGone.signal).catch(() => {});
    let cutExchanges = 0;
    for (const connection of [...this.#open]) {
      cutExchanges += connection.active;
      connection.close();
    }
    return { cutExchanges };
  }

  onEnd(connection: ChannelConnection | undefined): void {
    if (connection !== undefined) this.#open.delete(connection);
    if (this.#draining && this.#open.size === 0) this.#allGone.abort();
  }
}

/** What one connection tells: whoever answers its requests, and the log. */
class Served implements ChannelConnectionOwner {
  readonly #server: Server;
  readonly #owner: ServerConnectionOwner;
  connection: ChannelConnection | undefined;

  constructor(server: Server, owner: ServerConnectionOwner) {
    this.#server = server;
    this.#owner = owner;
  }

  createStream(id: number, host: StreamHost, sendBytes: number, receiveBytes: number): Http2Stream {
    return new ServerStream(id, host, sendBytes, receiveBytes, this);
  }

  onExchange(exchange: ServerExchange): void {
    this.#owner.onExchange(exchange);
  }

  onRefused(status: number, detail: string): void {
    this.#owner.onRefused(status, detail);
  }

  onCapacity(): void {}

  onEnd(end: Http2End): void {
    this.#server.onEnd(this.connection);
    this.#server.deps.onConnectionEnd?.(end);
    this.#owner.onClosed();
  }

  onInternalError(error: unknown): void {
    this.#server.deps.onInternalError(error);
  }
}
