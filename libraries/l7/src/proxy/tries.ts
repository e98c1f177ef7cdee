/** How often one request was tried, where, and whether it may be tried again. */

import type { ResponseHead } from "@meltemi/http";
import type { RetryPolicy } from "@meltemi/model/l7";
import { type AttemptResult, isRetriable, retryDelayMs, withinRetryBudget } from "../retry/decide-retry.ts";
import type { UpstreamCluster } from "../upstream/upstream-cluster.ts";
import type { AttemptFailure } from "./attempt.ts";

const NONE: readonly string[] = [];

export class Tries {
  readonly #policy: RetryPolicy;
  readonly #cluster: UpstreamCluster;
  #failed: string[] | undefined;
  /** Holds a place among the cluster's retries. */
  #isRetrying = false;
  count = 0;

  constructor(policy: RetryPolicy, cluster: UpstreamCluster) {
    this.#policy = policy;
    this.#cluster = cluster;
  }

  /** Uids of endpoints that another try should avoid. */
  get avoid(): readonly string[] {
    return this.#policy.avoidPreviousHosts ? (this.#failed ?? NONE) : NONE;
  }

  /** Also takes a place among the retries of the cluster: true means that there will be one. */
  mayRetry(result: AttemptResult): boolean {
    if (this.count > this.#policy.retries || !isRetriable(this.#policy, result)) return false;
    if (this.#isRetrying) return true;
    const { limits, config } = this.#cluster;
    if (!withinRetryBudget(config.retryBudget, limits.requests, limits.retries)) return false;
    this.#isRetrying = limits.takeRetry();
    return this.#isRetrying;
  }

  /** Books the failed endpoint; returns how long to wait. */
  backOff(failedUid: string, random: number): number {
    this.#failed ??= [];
    this.#failed.push(failedUid);
    return retryDelayMs(this.#policy, this.count, random);
  }

  release(): void {
    if (this.#isRetrying) this.#cluster.limits.releaseRetry();
    this.#isRetrying = false;
  }
}

export function responseResult(head: ResponseHead, ended: boolean): AttemptResult {
  const grpcStatus = ended ? head.headers.get("grpc-status") : undefined;
  return {
    kind: "response",
    status: head.status,
    grpcStatus: grpcStatus === undefined ? undefined : Number(grpcStatus),
    rateLimited: head.headers.has("x-envoy-ratelimited"),
  };
}

/** RFC 9110 §9.2.2: doing it twice is as doing it once. */
const IDEMPOTENT: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE"]);

/** Undefined: never retried. */
export function failureResult(failure: AttemptFailure, method: string): AttemptResult | undefined {
  if (failure.kind === "overflow") return undefined;
  if (failure.kind === "connectFailed") return { kind: "connectFailed" };
  const { fault, sent } = failure;
  // A kept connection that closed as we wrote to it most likely never read the request; who may repeat it, does.
  const isStale = fault.kind === "reset" && fault.stale === true && IDEMPOTENT.has(method);
  return fault.kind === "refused" || isStale ? { kind: "refused" } : { kind: "reset", sent };
}
