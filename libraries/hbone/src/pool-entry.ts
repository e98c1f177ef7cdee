/** The connections of one pool key: who may use which, and who waits for the one that is being made. */

import type { BatchBuffers } from "@meltemi/http/http2-transport";
import { PEER_REVOKED, type TlsContexts } from "@meltemi/identity";
import { formatSocketAddress } from "@meltemi/model";
import { describeError, detach, type OnInternalError, type Timer } from "@meltemi/runtime";
import { HboneConnection } from "./connection.ts";
import type { HboneConnectionOwner, SessionEnd } from "./connection-owner.ts";
import { connectTls } from "./handshake.ts";
import type { HbonePeer } from "./peer.ts";
import type { HbonePoolDeps, HbonePoolOptions } from "./pool-options.ts";
import type { PoolKey, TunnelFailure, TunnelOutcome, TunnelRequest } from "./tunnel.ts";
import { requestTunnel } from "./tunnel-request.ts";

export interface PoolEntryDeps extends HbonePoolDeps {
  readonly buffers: BatchBuffers;
  /** No connection is left and none is being made. */
  readonly onEmpty: () => void;
  readonly onInternalError: OnInternalError;
}

interface Waiter {
  readonly request: TunnelRequest;
  readonly signal: AbortSignal | undefined;
  readonly resolve: (outcome: TunnelOutcome | "unseen") => void;
}

export class PoolEntry implements HboneConnectionOwner {
  readonly #key: PoolKey;
  readonly #options: HbonePoolOptions;
  readonly #deps: PoolEntryDeps;
  readonly #connections = new Set<HboneConnection>();
  readonly #idle = new Map<HboneConnection, Timer>();
  #waiters: Waiter[] = [];
  #connecting: AbortController | undefined;
  /** Streams per connection that the peer last announced. */
  #peerStreams: number | undefined;
  /** What a connection goes by until the peer's SETTINGS are there. */
  readonly #assumed = new WeakMap<HboneConnection, object>();
  #draining = false;

  constructor(key: PoolKey, options: HbonePoolOptions, deps: PoolEntryDeps) {
    this.#key = key;
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

  drain(): void {
    this.#draining = true;
    this.#connecting?.abort();
    for (const connection of [...this.#connections]) connection.drain();
    this.#reportEmpty();
  }

  abort(detail: string): void {
    this.#draining = true;
    this.#connecting?.abort();
    for (const connection of [...this.#connections]) connection.abort(detail);
    this.#reportEmpty();
  }

  abortPeers(matches: (peer: HbonePeer) => boolean): number {
    const chosen = [...this.#connections].filter((connection) => matches(connection.peer));
    for (const connection of chosen) connection.abort(PEER_REVOKED);
    return chosen.length;
  }

  onRequest(): void {
    // A server cannot begin streams here: the codec refuses them.
  }

  onCapacity(connection: HboneConnection): void {
    const { peer } = connection.http2;
    if (peer !== this.#assumed.get(connection)) this.#peerStreams = peer.maxConcurrentStreams;
    if (connection.streams === 0) this.#armIdle(connection);
    if (connection.http2.capacity > 0) this.#serveWaiters(connection);
    else if (this.#waiters.length > 0) this.#connect();
  }

  onEnd(connection: HboneConnection, _end: SessionEnd): void {
    this.#idle.get(connection)?.cancel();
    this.#idle.delete(connection);
    this.#connections.delete(connection);
    this.#reportEmpty();
  }

  /** "unseen": the peer refused the stream before looking at it; another try cannot do anything twice. */
  async openTunnel(
    request: TunnelRequest,
    signal: AbortSignal | undefined,
  ): Promise<TunnelOutcome | "unseen"> {
    if (signal?.aborted) return failed("closed", "given up by the caller");
    if (this.#draining) return failed("closed", "pool is draining");
    for (const connection of this.#connections) {
      if (connection.http2.capacity > 0) return await this.#use(connection, request, signal);
    }
    const { promise, resolve } = Promise.withResolvers<TunnelOutcome | "unseen">();
    const waiter: Waiter = { request, signal, resolve };
    this.#waiters.push(waiter);
    const onAbort = (): void => {
      this.#waiters = this.#waiters.filter((one) => one !== waiter);
      if (this.#waiters.length === 0) this.#connecting?.abort();
      resolve(failed("closed", "given up by the caller"));
    };
    signal?.addEventListener("abort", onAbort, { once: true });
    this.#connect();
    try {
      return await promise;
    } finally {
      signal?.removeEventListener("abort", onAbort);
    }
  }

  #use(
    connection: HboneConnection,
    request: TunnelRequest,
    signal: AbortSignal | undefined,
  ): Promise<TunnelOutcome | "unseen"> {
    this.#idle.get(connection)?.cancel();
    this.#idle.delete(connection);
    const outcome = requestTunnel(connection, request, signal);
    // A request that could not be sent leaves the connection as unused as before.
    this.#armIdle(connection);
    return outcome;
  }

  #serveWaiters(connection: HboneConnection): void {
    while (this.#waiters.length > 0 && connection.http2.capacity > 0) {
      const waiter = this.#waiters.shift();
      if (waiter === undefined) return;
      detach(
        async () => waiter.resolve(await this.#use(connection, waiter.request, waiter.signal)),
        (error) => {
          waiter.resolve(failed("stream", `internal error: ${describeError(error)}`));
          this.#deps.onInternalError(error);
        },
      );
    }
    if (this.#waiters.length > 0) this.#connect();
  }

  /** At most one connection of a key is being made; what cannot fit on it starts the next one afterwards. */
  #connect(): void {
    if (this.#connecting !== undefined || this.#draining) return;
    const connecting = new AbortController();
    this.#connecting = connecting;
    detach(
      async () => this.#onEstablished(await this.#establish(connecting.signal), connecting.signal),
      (error) => {
        if (this.#connecting === connecting) this.#connecting = undefined;
        this.#failWaiters(failed("connect", `internal error: ${describeError(error)}`));
        this.#deps.onInternalError(error);
      },
    );
  }

  #onEstablished(result: HboneConnection | TunnelFailure, stop: AbortSignal): void {
    this.#connecting = undefined;
    if (!(result instanceof HboneConnection)) {
      // Given up by callers who have all left: those who wait now came later.
      if (stop.aborted && !this.#draining && this.#waiters.length > 0) this.#connect();
      else this.#failWaiters(result);
      return;
    }
    this.#connections.add(result);
    this.#assume(result);
    result.start();
    if (this.#draining) result.abort("pool is draining");
    this.#armIdle(result);
    this.#serveWaiters(result);
  }

  /**
   * Who was refused for want of streams once must not be refused again: each connection of the peer grants what the last one did. One
   * at least: every connection then serves somebody, and a peer that grants none is not met with connection after connection.
   */
  #assume(connection: HboneConnection): void {
    const { http2 } = connection;
    if (this.#peerStreams !== undefined)
      http2.peer = { ...http2.peer, maxConcurrentStreams: Math.max(1, this.#peerStreams) };
    this.#assumed.set(connection, http2.peer);
  }

  async #establish(stop: AbortSignal): Promise<HboneConnection | TunnelFailure> {
    const { clock, certificate, dial, buffers, onInternalError } = this.#deps;
    const { source, expected, destination, sourceIp } = this.#key;
    let contexts: TlsContexts;
    try {
      contexts = await certificate(source);
    } catch (error) {
      return failed("certificate", describeError(error));
    }
    const timeout = new AbortController();
    const timer = clock.after(this.#options.connectTimeoutMs, () => timeout.abort(new Error("timed out")));
    try {
      const raw = await dial(destination, sourceIp, AbortSignal.any([stop, timeout.signal]));
      const result = await connectTls(raw, contexts, expected, this.#options.handshakeTimeoutMs, clock);
      if (result.kind === "refused") return failed(result.stage, result.detail);
      return new HboneConnection("client", result, result.peer, this.#options, this, {
        clock,
        buffers,
        onInternalError,
      });
    } catch (error) {
      const where = formatSocketAddress(destination);
      if (!timeout.signal.aborted) return failed("connect", `connect to ${where}: ${describeError(error)}`);
      return failed(
        "connect-timeout",
        `connect to ${where}: no answer after ${this.#options.connectTimeoutMs} ms`,
      );
    } finally {
      timer.cancel();
    }
  }

  #failWaiters(failure: TunnelFailure): void {
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const waiter of waiters) waiter.resolve(failure);
    this.#reportEmpty();
  }

  #armIdle(connection: HboneConnection): void {
    if (connection.streams > 0 || this.#idle.has(connection)) return;
    const timer = this.#deps.clock.after(this.#options.unusedReleaseMs, () => connection.drain());
    this.#idle.set(connection, timer);
  }

  #reportEmpty(): void {
    if (this.#connections.size === 0 && this.#connecting === undefined && this.#waiters.length === 0)
      this.#deps.onEmpty();
  }
}

function failed(stage: TunnelFailure["stage"], detail: string): TunnelFailure {
  return { kind: "failed", stage, detail };
}
