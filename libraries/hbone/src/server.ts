/** The HBONE server of one identity: TLS, HTTP/2, one request per tunnel (reference: protocol §1.5 steps 1 and 2, §1.9). */
import type { Socket } from "node:net";
import { PEER_REVOKED, type TlsContexts } from "@meltemi/identity";
import type { ByteChannel } from "@meltemi/l4";
import { type Clock, describeError } from "@meltemi/runtime";
import { HboneConnection, type HboneConnectionOwner, type SessionEnd } from "./connection.ts";
import { acceptTls } from "./handshake.ts";
import type { HeaderFields } from "./headers.ts";
import { BatchBuffers } from "./http2/outbox.ts";
import type { Http2Stream } from "./http2/stream.ts";
import type { HboneOptions } from "./options.ts";
import type { HbonePeer } from "./peer.ts";
import { ServerRequest } from "./server-request.ts";

/**
 * A CONNECT request of a verified peer. Exactly one of `accept` and `refuse` is called. When the stream or its connection ends
 * first, `abandoned` is aborted, `refuse` does nothing and `accept` gives a channel that reports the fault once it is opened.
 */
export interface HboneRequest {
  /** `:authority`, not yet parsed. */
  readonly authority: string;
  /** All but the pseudo headers. */
  readonly headers: HeaderFields;
  readonly peer: HbonePeer;
  /** Stop connecting to the application when this is aborted. */
  readonly abandoned: AbortSignal;
  /** Answers 200 with these headers; the body both ways is the channel. */
  accept(headers: HeaderFields): ByteChannel;
  /** Answers this status (400, 401, 503) and ends the stream. */
  refuse(status: number, headers?: HeaderFields): void;
}

/** Why a connection ended; for the log line and the metrics of the caller. */
export type ConnectionEnd =
  | SessionEnd
  /** No request was ever read: too many connections, no certificate to serve, TLS failed, or the peer is none of ours. */
  | {
      readonly kind: "refused";
      readonly stage: "limit" | "certificate" | "tls" | "identity" | "revoked";
      readonly detail: string;
    };

export interface HboneServerOptions extends HboneOptions {
  /** Connections, handshakes among them, that this server holds; more are closed at once. */
  readonly maxConnections: number;
}

export interface HboneServerDeps {
  readonly clock: Clock;
  /** The certificate to serve, asked once per connection so that rotation needs no restart. A rejection refuses the connection. */
  readonly certificate: () => TlsContexts | Promise<TlsContexts>;
  readonly onRequest: (request: HboneRequest) => void;
  readonly onConnectionEnd?: (
    end: ConnectionEnd,
    from: { readonly remoteAddress: string; readonly remotePort: number },
  ) => void;
}

export interface HboneServer extends AsyncDisposable {
  /** Takes over a freshly accepted TCP socket: paused, nothing read. */
  accept(socket: Socket): void;
  /** Verified connections. */
  readonly connections: number;
  readonly streams: number;
  /** GOAWAY to every peer, existing streams go on; resolves when all are gone, or after `deadlineMs` when the rest was cut. */
  drain(deadlineMs: number): Promise<{ readonly cutStreams: number }>;
  /** Cuts the connections whose peer matches (revoked certificate). Returns how many. */
  abortPeers(matches: (peer: HbonePeer) => boolean): number;
}

export function createHboneServer(options: HboneServerOptions, deps: HboneServerDeps): HboneServer {
  return new Server(options, deps);
}

class Server implements HboneServer, HboneConnectionOwner {
  readonly #options: HboneServerOptions;
  readonly #deps: HboneServerDeps;
  readonly #buffers = new BatchBuffers();
  readonly #handshaking = new Set<Socket>();
  readonly #connections = new Set<HboneConnection>();
  #draining = false;
  /** Resolves a drain once the last connection is gone. */
  #onEmpty: (() => void) | undefined;

  constructor(options: HboneServerOptions, deps: HboneServerDeps) {
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

  accept(socket: Socket): void {
    const from = { remoteAddress: socket.remoteAddress ?? "", remotePort: socket.remotePort ?? 0 };
    const refuse = (end: ConnectionEnd): void => {
      // A socket that is given up may still report the peer's reset.
      socket.on("error", () => {});
      socket.destroy();
      this.#deps.onConnectionEnd?.(end, from);
    };
    const held = this.#connections.size + this.#handshaking.size;
    if (this.#draining || held >= this.#options.maxConnections) {
      const detail = this.#draining
        ? "server is draining"
        : `more than ${this.#options.maxConnections} connections`;
      refuse({ kind: "refused", stage: "limit", detail });
      return;
    }
    this.#handshaking.add(socket);
    // Never rejects: every failure in there is a result.
    void this.#secure(socket).then((end) => {
      this.#handshaking.delete(socket);
      if (end !== undefined) refuse(end);
    });
  }

  /** Undefined once the connection is in service. */
  async #secure(raw: Socket): Promise<ConnectionEnd | undefined> {
    let contexts: TlsContexts;
    try {
      contexts = await this.#deps.certificate();
    } catch (error) {
      return { kind: "refused", stage: "certificate", detail: describeError(error) };
    }
    const result = await acceptTls(raw, contexts, this.#options.handshakeTimeoutMs, this.#deps.clock);
    if (result.kind === "refused") return result;
    const { peer } = result;
    if (this.#draining) {
      result.socket.destroy();
      return { kind: "refused", stage: "limit", detail: "server is draining" };
    }
    const deps = { clock: this.#deps.clock, buffers: this.#buffers };
    const connection = new HboneConnection("server", result, peer, this.#options, this, deps);
    this.#connections.add(connection);
    connection.start();
    return undefined;
  }

  async drain(deadlineMs: number): Promise<{ readonly cutStreams: number }> {
    this.#draining = true;
    for (const socket of this.#handshaking) socket.destroy();
    for (const connection of this.#connections) connection.drain();
    if (this.#connections.size === 0) return { cutStreams: 0 };
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#onEmpty = resolve;
    let cutStreams = 0;
    const deadline = this.#deps.clock.after(deadlineMs, () => {
      cutStreams = this.streams;
      for (const connection of this.#connections)
        connection.abort("connection failed to drain within the timeout");
    });
    await promise;
    deadline.cancel();
    return { cutStreams };
  }

  abortPeers(matches: (peer: HbonePeer) => boolean): number {
    const chosen = [...this.#connections].filter((connection) => matches(connection.peer));
    for (const connection of chosen) connection.abort(PEER_REVOKED);
    return chosen.length;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.drain(0);
  }

  onRequest(
    connection: HboneConnection,
    stream: Http2Stream,
    authority: string,
    headers: HeaderFields,
  ): void {
    this.#deps.onRequest(new ServerRequest(stream, authority, headers, connection.peer));
  }

  onCapacity(): void {}

  onEnd(connection: HboneConnection, end: SessionEnd): void {
    this.#connections.delete(connection);
    const { remoteAddress, remotePort } = connection.peer;
    this.#deps.onConnectionEnd?.(end, { remoteAddress, remotePort });
    if (this.#connections.size === 0) this.#onEmpty?.();
  }
}
