/** The circuit breaker of one cluster: how much may run at once (DestinationRule `connectionPool`). Never waits, only counts and refuses. */

import type { ConnectionPool } from "@meltemi/model/l7";

/** What this process carries for one cluster where the user set no bound: beyond it, memory is at stake. */
const CEILING = { connections: 10_000, pendingRequests: 10_000, requests: 50_000, retries: 10_000 } as const;

type Bounds = Pick<ConnectionPool, "maxConnections" | "maxPendingRequests" | "maxRequests" | "maxRetries">;

export class ConnectionLimits {
  readonly #bounds: Bounds;
  #connections = 0;
  #pending = 0;
  #requests = 0;
  #retries = 0;

  constructor(bounds: Bounds) {
    this.#bounds = bounds;
  }

  get requests(): number {
    return this.#requests;
  }

  get connections(): number {
    return this.#connections;
  }

  get pending(): number {
    return this.#pending;
  }

  get retries(): number {
    return this.#retries;
  }

  /** `must`: beyond the user's bound too, as Envoy does for an endpoint without any connection. */
  takeConnection(must: boolean): boolean {
    if (
      this.#connections >= (must ? CEILING.connections : (this.#bounds.maxConnections ?? CEILING.connections))
    )
      return false;
    this.#connections++;
    return true;
  }

  releaseConnection(): void {
    this.#connections--;
  }

  takePending(): boolean {
    if (this.#pending >= (this.#bounds.maxPendingRequests ?? CEILING.pendingRequests)) return false;
    this.#pending++;
    return true;
  }

  releasePending(): void {
    this.#pending--;
  }

  takeRequest(): boolean {
    if (this.#requests >= (this.#bounds.maxRequests ?? CEILING.requests)) return false;
    this.#requests++;
    return true;
  }

  releaseRequest(): void {
    this.#requests--;
  }

  takeRetry(): boolean {
    if (this.#retries >= (this.#bounds.maxRetries ?? CEILING.retries)) return false;
    this.#retries++;
    return true;
  }

  releaseRetry(): void {
    this.#retries--;
  }
}
