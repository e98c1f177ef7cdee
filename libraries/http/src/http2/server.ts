/** HTTP/2 to clients, over any byte channel. */
import type { ByteChannel } from "@meltemi/l4";
import type { Clock } from "@meltemi/runtime";
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

export interface Http2Server {
  /**
   * Takes over a channel that was not opened; its first bytes are the client's preface. {@link ServerConnection.drain} says GOAWAY
   * twice, so that no request under way is lost (RFC 9113 §6.8).
   */
  serve(channel: ByteChannel, owner: ServerConnectionOwner): ServerConnection;
}

/** One write to a channel; responses are small, and bulk comes in pieces of this size anyway. */
const BATCH_BYTES = 64 * 1024;

export function createHttp2Server(options: Http2ConnectionOptions, deps: Http2ServerDeps): Http2Server {
  const buffers = new BatchBuffers(BATCH_BYTES);
  const connectionDeps = { clock: deps.clock, buffers };
  return { serve: (channel, owner) => serve(channel, owner, options, deps, connectionDeps) };
}

function serve(
  channel: ByteChannel,
  owner: ServerConnectionOwner,
  options: Http2ConnectionOptions,
  deps: Http2ServerDeps,
  connectionDeps: ChannelConnectionDeps,
): ServerConnection {
  const served = new Served(owner, deps);
  const connection = new ChannelConnection("server", channel, options, served, connectionDeps);
  connection.start(true);
  channel.open(connection);
  return connection;
}

/** What one connection tells: whoever answers its requests, and the log. */
class Served implements ChannelConnectionOwner {
  readonly #owner: ServerConnectionOwner;
  readonly #deps: Http2ServerDeps;

  constructor(owner: ServerConnectionOwner, deps: Http2ServerDeps) {
    this.#owner = owner;
    this.#deps = deps;
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
    this.#deps.onConnectionEnd?.(end);
    this.#owner.onClosed();
  }

  onInternalError(error: unknown): void {
    this.#deps.onInternalError(error);
  }
}
