/** HTTP/2 to clients, over any byte channel. */
import type { ByteChannel, ByteConsumer } from "@meltemi/l4";
import type { Clock } from "@meltemi/runtime";
import { ChannelConnection, type ChannelConnectionOwner, type Http2End } from "./channel-connection.ts";
import type { Http2ConnectionOptions } from "./options.ts";
import { BatchBuffers } from "./outbox.ts";
import { type OnExchange, ServerStream } from "./server-stream.ts";
import type { Http2Stream } from "./stream.ts";
import type { StreamHost } from "./stream-host.ts";

export interface Http2ServerDeps {
  readonly clock: Clock;
  /** A connection was cut because this program, or a handler given here, threw. */
  readonly onInternalError: (error: unknown) => void;
  readonly onConnectionEnd?: (end: Http2End) => void;
}

/** One client. It consumes the channel's bytes: whoever has opened the channel, to look at its first bytes, forwards every call. */
export interface Http2ServerConnection extends ByteConsumer {
  readonly streams: number;
  /** GOAWAY; requests under way go on, then the connection is closed. */
  drain(): void;
  /** Cuts the connection. */
  close(): void;
}

export interface Http2Server {
  readonly connections: number;
  readonly streams: number;
  /**
   * Takes over a channel that nobody has opened, or, with `firstBytes`, one that the caller has opened and read these bytes from:
   * it then forwards all calls to what is returned.
   */
  accept(channel: ByteChannel, onExchange: OnExchange, firstBytes?: Uint8Array): Http2ServerConnection;
  /** Drains every connection; resolves when all are gone, or after `deadlineMs` when the rest was cut. */
  drain(deadlineMs: number): Promise<{ readonly cutStreams: number }>;
}

/** One write to a channel; responses are small, and bulk comes in pieces of this size anyway. */
const BATCH_BYTES = 64 * 1024;

export function createHttp2Server(options: Http2ConnectionOptions, deps: Http2ServerDeps): Http2Server {
  return new Server(options, deps);
}

class Server implements Http2Server {
  readonly #options: Http2ConnectionOptions;
  readonly #deps: Http2ServerDeps;
  readonly #buffers = new BatchBuffers(BATCH_BYTES);
  readonly #connections = new Set<ChannelConnection>();
  /** Resolves a drain once the last connection is gone. */
  #onEmpty: (() => void) | undefined;

  constructor(options: Http2ConnectionOptions, deps: Http2ServerDeps) {
    this.#options = options;
    this.#deps = deps;
  }

  get connections(): number {
    return this.#connections.size;
  }

  get streams(): number {
    let streams = 0;
    for (const connection of this.#connections) streams += connection.streams;
    return streams;
  }

  accept(channel: ByteChannel, onExchange: OnExchange, firstBytes?: Uint8Array): Http2ServerConnection {
    const owner = new Owner(this, onExchange);
    const deps = { clock: this.#deps.clock, buffers: this.#buffers };
    const connection = new ChannelConnection("server", channel, this.#options, owner, deps);
    owner.connection = connection;
    this.#connections.add(connection);
    connection.start(true);
    if (firstBytes === undefined) channel.open(connection);
    else connection.onData(firstBytes, false);
    return connection;
  }

  async drain(deadlineMs: number): Promise<{ readonly cutStreams: number }> {
    const empty = new Promise<void>((resolve) => {
      this.#onEmpty = resolve;
    });
    for (const connection of [...this.#connections]) connection.drain();
    if (this.#connections.size === 0) return { cutStreams: 0 };
    let cutStreams = 0;
    const timer = this.#deps.clock.after(deadlineMs, () => {
      cutStreams = this.streams;
      for (const connection of [...this.#connections]) connection.close();
    });
    await empty;
    timer.cancel();
    return { cutStreams };
  }

  onEnd(connection: ChannelConnection | undefined, end: Http2End): void {
    if (connection !== undefined) this.#connections.delete(connection);
    if (this.#connections.size === 0) this.#onEmpty?.();
    this.#deps.onConnectionEnd?.(end);
  }

  onInternalError(error: unknown): void {
    this.#deps.onInternalError(error);
  }
}

/** What one connection asks of its server. */
class Owner implements ChannelConnectionOwner {
  readonly #server: Server;
  readonly #onExchange: OnExchange;
  connection: ChannelConnection | undefined;

  constructor(server: Server, onExchange: OnExchange) {
    this.#server = server;
    this.#onExchange = onExchange;
  }

  createStream(id: number, host: StreamHost, sendBytes: number, receiveBytes: number): Http2Stream {
    return new ServerStream(id, host, sendBytes, receiveBytes, this.#onExchange);
  }

  onCapacity(): void {}

  onEnd(end: Http2End): void {
    this.#server.onEnd(this.connection, end);
  }

  onInternalError(error: unknown): void {
    this.#server.onInternalError(error);
  }
}
