/** HTTP/2 to a server that is known to speak it, over any byte channel. */
import type { ByteChannel } from "@meltemi/l4";
import type { Clock } from "@meltemi/runtime";
import type {
  ClientConnection,
  ClientConnectionOwner,
  ClientExchange,
  HttpVersion,
  RequestHead,
  ResponseReceiver,
} from "../exchange.ts";
import { ChannelConnection, type ChannelConnectionOwner } from "./channel-connection.ts";
import { ClientStream } from "./client-stream.ts";
import { EarlyUpgrade } from "./early-upgrade.ts";
import type { Http2ConnectionOptions } from "./options.ts";
import { BatchBuffers } from "./outbox.ts";
import { RefusedExchange } from "./refused-exchange.ts";
import { INITIAL_PEER_SETTINGS } from "./settings.ts";
import type { Http2Stream } from "./stream.ts";

export interface Http2ClientDeps {
  readonly clock: Clock;
  /** The connection was cut because this program, or a receiver given here, threw. */
  readonly onInternalError: (error: unknown) => void;
}

export interface Http2ClientConnection extends ClientConnection {
  /**
   * The server takes requests with `upgrade` (RFC 8441). False until its SETTINGS are here, for which such a request waits; where it
   * is false then, the request is answered with a `refused` fault.
   */
  readonly extendedConnect: boolean;
}

const BATCH_BYTES = 64 * 1024;
/** All client connections of the process take turns with them: a batch is filled and handed on within one turn. */
const BUFFERS = new BatchBuffers(BATCH_BYTES);

/** Opens `channel`, which must be fresh, and sends the preface; requests may be sent at once. */
export function createHttp2Client(
  channel: ByteChannel,
  owner: ClientConnectionOwner,
  options: Http2ConnectionOptions,
  deps: Http2ClientDeps,
): Http2ClientConnection {
  const client = new Client(channel, owner, options, deps);
  client.start();
  return client;
}

class Client implements Http2ClientConnection, ChannelConnectionOwner {
  readonly version: HttpVersion = "HTTP/2";
  readonly #channel: ByteChannel;
  readonly #owner: ClientConnectionOwner;
  readonly #deps: Http2ClientDeps;
  readonly #connection: ChannelConnection;
  /** As many as there is room for. */
  readonly #early = new Set<EarlyUpgrade>();
  #hadCapacity = true;
  #draining = false;

  constructor(
    channel: ByteChannel,
    owner: ClientConnectionOwner,
    options: Http2ConnectionOptions,
    deps: Http2ClientDeps,
  ) {
    this.#channel = channel;
    this.#owner = owner;
    this.#deps = deps;
    this.#connection = new ChannelConnection("client", channel, options, this, {
      clock: deps.clock,
      buffers: BUFFERS,
    });
  }

  start(): void {
    this.#connection.start(false);
    this.#channel.open(this.#connection);
  }

  get capacity(): number {
    return this.#draining ? 0 : this.#connection.http2.capacity;
  }

  get active(): number {
    return this.#connection.http2.streams.size;
  }

  get extendedConnect(): boolean {
    return this.#connection.http2.peer.extendedConnect;
  }

  send(head: RequestHead, ended: boolean, receiver: ResponseReceiver): ClientExchange {
    if (head.upgrade === undefined || this.#knowsServer || this.#early.size >= this.capacity)
      return this.#sendNow(head, ended, receiver);
    const early = new EarlyUpgrade(
      () => this.#sendNow(head, ended, receiver),
      receiver,
      (of) => void this.#early.delete(of),
    );
    this.#early.add(early);
    return early;
  }

  get #knowsServer(): boolean {
    return this.#connection.http2.peer !== INITIAL_PEER_SETTINGS;
  }

  #beginEarly(): void {
    if (this.#early.size === 0 || !(this.#knowsServer || this.#draining)) return;
    const waiting = [...this.#early];
    this.#early.clear();
    for (const early of waiting) early.begin();
  }

  #sendNow(head: RequestHead, ended: boolean, receiver: ResponseReceiver): ClientExchange {
    const why = this.#refusal(head);
    if (why !== undefined) return new RefusedExchange(why, receiver, this.#deps.onInternalError);
    const { http2 } = this.#connection;
    const stream = new ClientStream(
      http2.takeStreamId(),
      http2,
      http2.peer.initialWindowBytes,
      http2.streamWindowBytes,
      head,
      receiver,
    );
    http2.adopt(stream);
    stream.begin(head, ended);
    if (http2.capacity === 0) this.#hadCapacity = false;
    return stream;
  }

  #refusal(head: RequestHead): string | undefined {
    if (this.capacity === 0) return "connection takes no request now";
    if (head.upgrade === undefined) return undefined;
    if (!this.extendedConnect) return "server takes no extended CONNECT, so no upgrade over HTTP/2";
    return head.method === "GET" ? undefined : "HTTP/2 carries upgrades of GET requests alone";
  }

  drain(): void {
    if (this.#draining) return;
    this.#tellDraining();
    this.#connection.drain();
  }

  close(): void {
    this.#connection.close();
  }

  createStream(): Http2Stream {
    // The connection refuses a server's streams before it asks for one.
    throw new Error("a server began a stream, expected none");
  }

  onCapacity(): void {
    const { http2 } = this.#connection;
    if (http2.draining) this.#tellDraining();
    this.#beginEarly();
    const has = this.capacity > 0;
    const rose = has && !this.#hadCapacity;
    this.#hadCapacity = has;
    if (rose) this.#owner.onCapacity(this);
  }

  onEnd(): void {
    this.#tellDraining();
    this.#owner.onClosed(this);
  }

  onInternalError(error: unknown): void {
    this.#deps.onInternalError(error);
  }

  #tellDraining(): void {
    if (this.#draining) return;
    this.#draining = true;
    this.#owner.onDraining(this);
    this.#beginEarly();
  }
}
