/** Whether an attempt is worth another one, and after what time; Envoy's conditions (reference: l7-and-cli §2.4). */

import type { RetryCondition, RetryPolicy } from "@meltemi/model/l7";
import { unreachable } from "@meltemi/runtime";

/** How one attempt ended. */
export type AttemptResult =
  /** `grpcStatus` only where the head carries it: a response without body. */
  | {
      readonly kind: "response";
      readonly status: number;
      readonly grpcStatus: number | undefined;
      readonly rateLimited: boolean;
    }
  /** No connection to the endpoint came about. */
  | { readonly kind: "connectFailed" }
  /** The endpoint said that it did not process the request. */
  | { readonly kind: "refused" }
  /** Broken before a response; `sent`: the endpoint may have seen the request. */
  | { readonly kind: "reset"; readonly sent: boolean }
  | { readonly kind: "perTryTimeout" };

const CONFLICT = 409;
const GRPC = {
  cancelled: 1,
  "deadline-exceeded": 4,
  "resource-exhausted": 8,
  internal: 13,
  unavailable: 14,
} as const;

/** Says nothing of how many retries are left, nor of budgets. */
export function isRetriable(policy: RetryPolicy, result: AttemptResult): boolean {
  // Nearly all results are responses.
  if (result.kind === "response") return isRetriableResponse(policy, result);
  const on = (condition: RetryPolicy["on"][number]): boolean => policy.on.includes(condition);
  // Envoy counts a reset as a gateway error.
  const anyServerFault = on("5xx") || on("gateway-error");
  switch (result.kind) {
    case "connectFailed":
      return anyServerFault || on("connect-failure") || on("reset") || on("reset-before-request");
    case "refused":
      return anyServerFault || on("refused-stream") || on("reset") || on("reset-before-request");
    case "reset":
      return anyServerFault || on("reset") || (on("reset-before-request") && !result.sent);
    case "perTryTimeout":
      return anyServerFault || on("reset");
    default:
      return unreachable(result);
  }
}

type Response = Extract<AttemptResult, { kind: "response" }>;

function isRetriableResponse(policy: RetryPolicy, response: Response): boolean {
  for (const condition of policy.on) if (covers(condition, policy, response)) return true;
  return false;
}

function covers(condition: RetryCondition, policy: RetryPolicy, response: Response): boolean {
  const { status, grpcStatus } = response;
  switch (condition) {
    case "5xx":
      return status >= 500;
    case "gateway-error":
      return status >= 502 && status <= 504;
    case "retriable-4xx":
      return status === CONFLICT;
    case "retriable-status-codes":
      return policy.statusCodes.includes(status);
    case "envoy-ratelimited":
      return response.rateLimited;
    case "cancelled":
    case "deadline-exceeded":
    case "internal":
    case "resource-exhausted":
    case "unavailable":
      return grpcStatus === GRPC[condition];
    // These are about connections, not about answers; headers and HTTP/3 have no setting of ours.
    case "reset":
    case "reset-before-request":
    case "connect-failure":
    case "refused-stream":
    case "retriable-headers":
    case "http3-post-connect-failure":
      return false;
    default:
      return unreachable(condition);
  }
}

/**
 * Fully jittered exponential back-off: anywhere below `(2^retry - 1) × base`, capped.
 * @param retry 1 for the first
 * @param random 0 ≤ random < 1
 */
export function retryDelayMs(policy: RetryPolicy, retry: number, random: number): number {
  const ceilingMs = Math.min((2 ** retry - 1) * policy.backoffBaseMs, policy.backoffMaxMs);
  return Math.floor(random * ceilingMs);
}

/** Whether one more retry at once stays within the budget. */
export function withinRetryBudget(
  budget: { readonly percent: number; readonly minConcurrency: number } | undefined,
  activeRequests: number,
  activeRetries: number,
): boolean {
  if (budget === undefined) return true;
  return activeRetries < Math.max(budget.minConcurrency, (activeRequests * budget.percent) / 100);
}
