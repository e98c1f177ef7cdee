/**
 * The connections to one endpoint. A request takes a connection with room at once, or waits for one: dialled for it, or freed by
 * another request. Bounds are the cluster's; this file only keeps them.
 */

import type { ClientConnection, ClientConnectionOwner } from "@meltemi/http";
import { type Clock, describeError, detach, type Timer } from "@meltemi/runtime";
import type { ConnectionLimits } from "./connection-limits.ts";

export type DialFailure = { readonly kind: "failed"; readonly timedOut: boolean; readonly detail: string };

/** Opens one connection; `owner` hears of its life. Rejections are errors of this program. */
export type Dial = (
  owner: ClientConnectionOwner,
  signal: AbortSignal,
) => Promise<{ readonly kind: "open"; readonly connection: ClientConnection } | DialFailure>;

/** A request that has no connection yet. Exactly one of the two is called, once, unless it was cancelled; never inside `acquire`. */
export interface ConnectionWaiter {
  onConnection(connection: ClientConnection): void;
  onConnectFailed(failure: DialFailure): void;
}

export interface EndpointPoolOptions {
  readonly connectTimeoutMs: number;
  /** Zero: never. */
  readonly idleTimeoutMs: number;
  /** Zero: unlimited. */
  readonly maxRequestsPerConnection: number;
  /** How many who wait one dial is made for: 1 with HTTP/1.1, what servers commonly take at once with HTTP/2. */
  readonly requestsAtOnce: number;
  /** Absent: until it breaks. */
  readonly maxConnectionDurationMs?: number;
}

export interface EndpointPoolDeps {
  readonly clock: Clock;
  readonly dial: Dial;
  /** Shared with the other endpoints of the cluster. */
  readonly limits: ConnectionLimits;
  readonly onInternalError: (error: unknown) => void;
}

/** What is known of one connection beside itself. */
interface Held {
  requests: number;
  /** As of the last sweep: a connection with many streams does not say when the last of them ends. */
  requestsSwept: number;
  idleSinceMs: number;
  draining: boolean;
  readonly lifetime: Timer | undefined;
}

/** Idle connections are looked at so many times within their time, and closed by the last: the server may know the same time. */
const SWEEPS_PER_TIMEOUT = 4;

export class EndpointPool implements ClientConnectionOwner {
  readonly #options: EndpointPoolOptions;
  readonly #deps: EndpointPoolDeps;
  readonly #held = new Map<ClientConnection, Held>();
  /** With room, the last used at the end: it is the one whose caches are warm and whose keep-alive is youngest. */
  readonly #ready: ClientConnection[] = [];
  readonly #waiters = new Set<ConnectionWaiter>();
  readonly #dials = new Set<AbortController>();
  #sweep: Timer | undefined;
  #sweptMs = 0;
  /** The cluster is not configured any more. */
  #retired = false;
  #closed = false;

  constructor(options: EndpointPoolOptions, deps: EndpointPoolDeps) {
    this.#options = options;
    this.#deps = deps;
  }

  get connections(): number {
    return this.#held.size;
  }

  /** Nothing is open, dialled or waited for. */
  get isEmpty(): boolean {
    return this.#held.size === 0 && this.#dials.size === 0 && this.#waiters.size === 0;
  }

  /** A connection that takes a request now; the caller sends it within the same turn. */
  take(): ClientConnection | undefined {
    const ready = this.#ready;
    for (let connection = ready.at(-1); connection !== undefined; connection = ready.at(-1)) {
      const held = this.#held.get(connection);
      if (held !== undefined && connection.capacity > 0) return this.#use(connection, held);
      // It closed within this turn, and is about to say so.
      ready.pop();
    }
    return undefined;
  }

  #use(connection: ClientConnection, held: Held): ClientConnection {
    held.requests++;
    const { maxRequestsPerConnection: most } = this.#options;
    const isLast = this.#retired || (most > 0 && held.requests >= most);
    if (isLast || connection.capacity <= 1) this.#ready.pop();
    // Only after the request was sent does draining wait for it.
    if (isLast) held.draining = true;
    return connection;
  }

  /** Called by the sender once the request is on a connection that {@link take} gave. */
  sent(connection: ClientConnection): void {
    const held = this.#held.get(connection);
    if (held?.draining === true) connection.drain();
    // A request that could not be sent left its place to others.
    else if (held !== undefined && connection.capacity > 0 && !this.#ready.includes(connection))
      this.#ready.push(connection);
  }

  /** Waits for a connection. False: the cluster's bound on waiting requests is reached, and nothing was queued. */
  wait(waiter: ConnectionWaiter): boolean {
    const { limits } = this.#deps;
    if (this.#closed || !limits.takePending()) return false;
    this.#waiters.add(waiter);
    this.#dialForWaiters();
    return true;
  }

  cancel(waiter: ConnectionWaiter): void {
    if (this.#waiters.delete(waiter)) this.#deps.limits.releasePending();
  }

  /** Keeps no connection from now on; requests that still come get one for each. */
  retire(): void {
    this.#retired = true;
    this.#sweep?.cancel();
    for (const connection of [...this.#held.keys()]) connection.drain();
  }

  /** The endpoint is gone: no new requests, and running ones end as they do. */
  drain(): void {
    this.#closed = true;
    this.#retired = true;
    this.#sweep?.cancel();
    this.#ready.length = 0;
    for (const dial of this.#dials) dial.abort();
    for (const connection of [...this.#held.keys()]) connection.drain();
    this.#failWaiters({ kind: "failed", timedOut: false, detail: "the endpoint was removed" });
  }

  onCapacity(connection: ClientConnection): void {
    const held = this.#held.get(connection);
    if (held === undefined || held.draining || this.#closed) return;
    if (!this.#ready.includes(connection)) this.#ready.push(connection);
    this.#serveWaiters();
    if (connection.active > 0) return;
    if (this.#retired) {
      connection.drain();
      return;
    }
    held.idleSinceMs = this.#deps.clock.monotonicMs();
  }

  onDraining(connection: ClientConnection): void {
    const held = this.#held.get(connection);
    if (held !== undefined) held.draining = true;
    this.#unready(connection);
    this.#dialForWaiters();
  }

  onClosed(connection: ClientConnection): void {
    const held = this.#held.get(connection);
    if (held === undefined) return;
    held.lifetime?.cancel();
    this.#held.delete(connection);
    this.#unready(connection);
    this.#deps.limits.releaseConnection();
    this.#dialForWaiters();
  }

  #unready(connection: ClientConnection): void {
    const at = this.#ready.indexOf(connection);
    if (at >= 0) this.#ready.splice(at, 1);
  }

  #serveWaiters(): void {
    for (const waiter of this.#waiters) {
      const connection = this.take();
      if (connection === undefined) return;
      this.cancel(waiter);
      waiter.onConnection(connection);
    }
  }

  /** Who waits for a connection that will not come free dials one, as far as the cluster permits. */
  #dialForWaiters(): void {
    if (this.#closed) return;
    while (this.#dials.size * this.#options.requestsAtOnce < this.#waiters.size) {
      // Without any connection of its own this endpoint's requests would wait for what other endpoints may never give back.
      const isOnly = this.#held.size + this.#dials.size === 0;
      if (!this.#deps.limits.takeConnection(isOnly)) return;
      this.#startDial();
    }
  }

  #startDial(): void {
    detach(() => this.#dial(), this.#deps.onInternalError);
  }

  /** Holds a place among the cluster's connections, given back here when there will be none. */
  async #dial(): Promise<void> {
    const { clock, dial, limits } = this.#deps;
    const { connectTimeoutMs } = this.#options;
    const controller = new AbortController();
    this.#dials.add(controller);
    let timedOut = false;
    const deadline = clock.after(connectTimeoutMs, () => {
      timedOut = true;
      controller.abort();
    });
    let opened: ClientConnection | undefined;
    let failure: DialFailure = { kind: "failed", timedOut: false, detail: "" };
    try {
      const outcome = await dial(this, controller.signal);
      if (outcome.kind === "open" && !this.#closed && !timedOut) opened = outcome.connection;
      else if (outcome.kind === "open") {
        outcome.connection.close();
        failure = {
          kind: "failed",
          timedOut,
          detail: timedOut ? `no connection within ${connectTimeoutMs} ms` : "the endpoint was removed",
        };
      } else failure = { ...outcome, timedOut: timedOut || outcome.timedOut };
    } catch (error) {
      this.#deps.onInternalError(error);
      failure = { kind: "failed", timedOut, detail: describeError(error) };
    } finally {
      deadline.cancel();
      this.#dials.delete(controller);
    }
    if (opened !== undefined) {
      this.#hold(opened);
      return;
    }
    limits.releaseConnection();
    this.#failWaiters(failure);
  }

  #hold(connection: ClientConnection): void {
    const { clock } = this.#deps;
    const { maxConnectionDurationMs } = this.#options;
    const lifetime =
      maxConnectionDurationMs === undefined
        ? undefined
        : clock.after(maxConnectionDurationMs, () => {
            this.onDraining(connection);
            connection.drain();
          });
    const idleSinceMs = clock.monotonicMs();
    this.#held.set(connection, { requests: 0, requestsSwept: 0, idleSinceMs, draining: false, lifetime });
    if (connection.capacity > 0) this.onCapacity(connection);
    this.#scheduleSweep();
    // It may take fewer at once than was hoped.
    this.#dialForWaiters();
  }

  /** One failed dial fails all who wait, as in Envoy: each decides on its own whether to try elsewhere. */
  #failWaiters(failure: DialFailure): void {
    for (const waiter of [...this.#waiters]) {
      this.cancel(waiter);
      waiter.onConnectFailed(failure);
    }
  }

  #scheduleSweep(): void {
    const { idleTimeoutMs } = this.#options;
    if (idleTimeoutMs === 0 || this.#sweep !== undefined || this.#retired) return;
    this.#sweep = this.#deps.clock.after(idleTimeoutMs / SWEEPS_PER_TIMEOUT, () => {
      this.#sweep = undefined;
      this.#closeIdle(idleTimeoutMs - idleTimeoutMs / SWEEPS_PER_TIMEOUT);
      if (this.#held.size > 0) this.#scheduleSweep();
    });
  }

  /** Those that would have been idle for too long before the next sweep. */
  #closeIdle(sinceMs: number): void {
    const nowMs = this.#deps.clock.monotonicMs();
    for (const [connection, held] of this.#held) {
      if (connection.active > 0) held.idleSinceMs = nowMs;
      else if (held.requests !== held.requestsSwept)
        held.idleSinceMs = Math.max(held.idleSinceMs, this.#sweptMs);
      held.requestsSwept = held.requests;
      if (nowMs - held.idleSinceMs <= sinceMs) continue;
      this.#unready(connection);
      connection.drain();
    }
    this.#sweptMs = nowMs;
  }
}
