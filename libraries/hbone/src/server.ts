/** The HBONE server of one identity: TLS, HTTP/2, one request per tunnel (reference: protocol §1.5 steps 1 and 2, §1.9). */
import type { Socket } from "node:net";
import { BatchBuffers } from "@meltemi/http/http2-transport";
import { PEER_REVOKED, type TlsContexts } from "@meltemi/identity";
import { type Clock, detach, endProcess, type OnInternalError } from "@meltemi/runtime";
import { acceptHandshake } from "./accept-handshake.ts";
import { HboneConnection } from "./connection.ts";
import type { HboneConnectionOwner, SessionEnd } from "./connection-owner.ts";
import type { HandshakeResult } from "./handshake.ts";
import type { HeaderFields } from "./headers.ts";
import { BATCH_BYTES, type HboneOptions } from "./options.ts";
import type { HbonePeer } from "./peer.ts";
import { type HboneRequest, ServerRequest } from "./server-request.ts";
import type { TunnelStream } from "./tunnel-stream.ts";

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

/** One more connection or handshake of the process, or why there can be none; `release` may be called twice. */
type Place =
  | { readonly kind: "admitted"; readonly release: () => void }
  | { readonly kind: "refused"; readonly message: string };

/** Bounds that several servers share. */
export interface HboneAdmission {
  /** Held from accept to the end of the connection. */
  take(): Place;
  /** Held from accept until the peer is verified: what strangers may have of this process. */
  takeHandshake(): Place;
}

type Remote = { readonly remoteAddress: string; readonly remotePort: number };

export interface HboneServerDeps {
  readonly clock: Clock;
  /** The certificate to serve, asked once per connection so that rotation needs no restart. A rejection refuses the connection. */
  readonly certificate: () => TlsContexts | Promise<TlsContexts>;
  readonly onRequest: (request: HboneRequest) => void;
  readonly onConnectionEnd?: (end: ConnectionEnd, from: Remote) => void;
  /** Absent: `maxConnections` is the only bound. */
  readonly admission?: HboneAdmission;
  /** One connection was cut because this program, or a callback given here, threw. Absent: that ends the process. */
  readonly onInternalError?: OnInternalError;
}

export interface HboneServer extends AsyncDisposable {
  /** Takes over a freshly accepted TCP socket: paused, nothing read. */
  accept(socket: Socket): void;
  /** Verified connections. */
  readonly connections: number;
  readonly streams: number;
  /**
   * GOAWAY to every peer, those whose handshake is under way among them; existing streams, and those that the peer began before it knew, go
   * on. Resolves when all are gone, or after `deadlineMs` when the rest was cut. From now on {@link accept} refuses.
   */
  drain(deadlineMs: number): Promise<{ readonly cutStreams: number }>;
  /** Cuts the connections whose peer matches (revoked certificate). Returns how many. */
  abortPeers(matches: (peer: HbonePeer) => boolean): number;
}

const DRAINING = { kind: "refused", stage: "limit", detail: "server is draining" } as const;
const nothing = (): void => {};

export function createHboneServer(options: HboneServerOptions, deps: HboneServerDeps): HboneServer {
  return new Server(options, deps);
}

class Server implements HboneServer, HboneConnectionOwner {
  readonly #options: HboneServerOptions;
  readonly #deps: HboneServerDeps;
  readonly #buffers = new BatchBuffers(BATCH_BYTES);
  readonly #handshaking = new Set<Socket>();
  /** And how each gives its place back. */
  readonly #connections = new Map<HboneConnection, () => void>();
  readonly #onInternalError: OnInternalError;
  #draining = false;
  /** Resolves a drain once the last connection is gone. */
  #onEmpty: (() => void) | undefined;

  constructor(options: HboneServerOptions, deps: HboneServerDeps) {
    this.#options = options;
    this.#deps = deps;
    this.#onInternalError = deps.onInternalError ?? endProcess;
  }

  get connections(): number {
    return this.#connections.size;
  }

  get streams(): number {
    let streams = 0;
    for (const connection of this.#connections.keys()) streams += connection.streams;
    return streams;
  }

  accept(socket: Socket): void {
    const from = { remoteAddress: socket.remoteAddress ?? "", remotePort: socket.remotePort ?? 0 };
    // Late errors of a socket that is given up have nobody to tell.
    const onError = (error: unknown): void => {
      socket.on("error", () => {}).destroy();
      this.#onInternalError(error);
    };
    detach(() => this.#take(socket, from), onError);
  }

  /** A rejection is an error of this program. */
  async #take(socket: Socket, from: Remote): Promise<void> {
    const refuse = (end: ConnectionEnd): void => {
      // A socket that is given up may still report the peer's reset.
      socket.on("error", () => {}).destroy();
      this.#deps.onConnectionEnd?.(end, from);
    };
    const places = this.#takePlaces();
    if (places.kind === "refused") return refuse({ kind: "refused", stage: "limit", detail: places.message });
    this.#handshaking.add(socket);
    let inService = false;
    try {
      const { clock, certificate } = this.#deps;
      const result = await acceptHandshake(socket, certificate, this.#options.handshakeTimeoutMs, clock);
      if (result.kind === "refused") return refuse(result);
      this.#serve(result, places.connection);
      inService = true;
    } finally {
      this.#handshaking.delete(socket);
      places.handshake();
      if (!inService) places.connection();
      this.#tellWhenEmpty();
    }
  }

  #takePlaces():
    | { readonly kind: "admitted"; readonly connection: () => void; readonly handshake: () => void }
    | { readonly kind: "refused"; readonly message: string } {
    const { maxConnections } = this.#options;
    if (this.#draining) return { kind: "refused", message: DRAINING.detail };
    if (this.#connections.size + this.#handshaking.size >= maxConnections)
      return { kind: "refused", message: `more than ${maxConnections} connections` };
    const { admission } = this.#deps;
    if (admission === undefined) return { kind: "admitted", connection: nothing, handshake: nothing };
    const connection = admission.take();
    if (connection.kind === "refused") return connection;
    const handshake = admission.takeHandshake();
    if (handshake.kind === "admitted")
      return { kind: "admitted", connection: connection.release, handshake: handshake.release };
    connection.release();
    return handshake;
  }

  #serve(secured: Extract<HandshakeResult, { kind: "ok" }>, release: () => void): void {
    const connection = new HboneConnection("server", secured, secured.peer, this.#options, this, {
      clock: this.#deps.clock,
      buffers: this.#buffers,
      onInternalError: this.#onInternalError,
    });
    this.#connections.set(connection, release);
    connection.start();
    // Whoever waits for this connection at the peer has its tunnel before the GOAWAY counts.
    if (this.#draining) connection.drain();
  }

  async drain(deadlineMs: number): Promise<{ readonly cutStreams: number }> {
    this.#draining = true;
    for (const connection of [...this.#connections.keys()]) connection.drain();
    if (this.#isEmpty) return { cutStreams: 0 };
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#onEmpty = resolve;
    let cutStreams = 0;
    const deadline = this.#deps.clock.after(deadlineMs, () => {
      cutStreams = this.streams;
      for (const socket of this.#handshaking) socket.destroy();
      for (const connection of [...this.#connections.keys()])
        connection.abort("connection failed to drain within the timeout");
    });
    await promise;
    deadline.cancel();
    return { cutStreams };
  }

  get #isEmpty(): boolean {
    return this.#connections.size === 0 && this.#handshaking.size === 0;
  }

  #tellWhenEmpty(): void {
    if (this.#isEmpty) this.#onEmpty?.();
  }

  abortPeers(matches: (peer: HbonePeer) => boolean): number {
    const chosen = [...this.#connections.keys()].filter((connection) => matches(connection.peer));
    for (const connection of chosen) connection.abort(PEER_REVOKED);
    return chosen.length;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.drain(0);
  }

  onRequest(
    connection: HboneConnection,
    stream: TunnelStream,
    authority: string,
    headers: HeaderFields,
  ): void {
    this.#deps.onRequest(new ServerRequest(stream, authority, headers, connection.peer));
  }

  onCapacity(): void {}

  onEnd(connection: HboneConnection, end: SessionEnd): void {
    this.#connections.get(connection)?.();
    this.#connections.delete(connection);
    this.#tellWhenEmpty();
    const { remoteAddress, remotePort } = connection.peer;
    this.#deps.onConnectionEnd?.(end, { remoteAddress, remotePort });
  }
}
