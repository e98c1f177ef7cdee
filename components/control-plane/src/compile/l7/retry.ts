/** `retries` of a VirtualService and of the mesh → RetryPolicy (reference: l7-and-cli §2.4). Pure. */

import { RETRY_CONDITIONS, type RetryCondition, type RetryPolicy } from "@meltemi/model/l7";
import type { HttpRetrySpec } from "@meltemi/resources";
import { DEFAULT_RETRY } from "./traffic-settings.ts";
import { durationMs } from "./values.ts";

const CONDITIONS: ReadonlySet<string> = new Set(RETRY_CONDITIONS);

/** Envoy's factor between the first wait and the longest. */
const BACKOFF_FACTOR = 10;

/** No attempts, or zero: no retries. */
export function retryPolicy(spec: HttpRetrySpec): RetryPolicy {
  const perTryTimeoutMs = durationMs(spec.perTryTimeout);
  const baseMs = durationMs(spec.backoff) || DEFAULT_RETRY.backoffBaseMs;
  return {
    retries: spec.attempts ?? 0,
    ...retryConditions(spec.retryOn),
    ...(perTryTimeoutMs && { perTryTimeoutMs }),
    backoffBaseMs: baseMs,
    backoffMaxMs: baseMs * BACKOFF_FACTOR,
    avoidPreviousHosts: spec.retryIgnorePreviousHosts ?? true,
    otherLocalities: spec.retryRemoteLocalities ?? false,
  };
}

/** Numbers are statuses. Words that are no condition are left out. */
function retryConditions(text: string | undefined): Pick<RetryPolicy, "on" | "statusCodes"> {
  const words = (text ?? "")
    .split(",")
    .map((word) => word.trim())
    .filter((word) => word !== "");
  if (words.length === 0) return { on: DEFAULT_RETRY.on, statusCodes: DEFAULT_RETRY.statusCodes };
  const statusCodes = words.filter((word) => /^[2-5]\d\d$/.test(word)).map(Number);
  const on = words.filter((word): word is RetryCondition => CONDITIONS.has(word));
  if (statusCodes.length > 0 && !on.includes("retriable-status-codes")) on.push("retriable-status-codes");
  return { on: [...new Set(on)], statusCodes: [...new Set(statusCodes)] };
}
