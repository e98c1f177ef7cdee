/** When a job has come to its end, and which one; and when a pod may be made in a failed one's stead. */

import type { Job, Pod } from "@meltemi/kubernetes";
import type { JobTally } from "./job-tally.ts";
import { isActive, isFinished } from "./pod-state.ts";

export type JobEnd =
  | { readonly kind: "complete"; readonly reason: string; readonly message: string }
  | { readonly kind: "failed"; readonly reason: string; readonly message: string };

/** As Kubernetes: a pod that follows a failed one waits for ten seconds, twice as long after each further failure. */
const RETRY_BASE_MS = 10_000;
const RETRY_MAX_MS = 6 * 60_000;
const BACKOFF_LIMIT = 6;

export function conditionOf(job: Job, type: string): boolean {
  return (job.status?.conditions ?? []).some(
    (condition) => condition.type === type && condition.status === "True",
  );
}

/** Undefined while it goes on. A verdict that was reached stays. */
export function decideJobEnd(
  job: Job,
  owned: readonly Pod[],
  tally: JobTally,
  nowMs: number,
): JobEnd | undefined {
  const reached = (job.status?.conditions ?? []).find(
    ({ type, status }) => status === "True" && (type === "FailureTarget" || type === "SuccessCriteriaMet"),
  );
  if (reached !== undefined) {
    const { reason = "", message = "" } = reached;
    return { kind: reached.type === "FailureTarget" ? "failed" : "complete", reason, message };
  }
  if (isPastBackoffLimit(job, owned, tally))
    return {
      kind: "failed",
      reason: "BackoffLimitExceeded",
      message: "Job has reached the specified backoff limit",
    };
  const leftMs = deadlineLeftMs(job, nowMs);
  if (leftMs !== undefined && leftMs <= 0)
    return {
      kind: "failed",
      reason: "DeadlineExceeded",
      message: "Job was active longer than specified deadline",
    };
  return hasEnough(job, owned, tally)
    ? {
        kind: "complete",
        reason: "CompletionsReached",
        message: "Reached expected number of succeeded pods",
      }
    : undefined;
}

function isPastBackoffLimit(job: Job, owned: readonly Pod[], tally: JobTally): boolean {
  const limit = job.spec?.backoffLimit ?? BACKOFF_LIMIT;
  if (tally.failed > limit) return true;
  if (job.spec?.template.spec?.restartPolicy !== "OnFailure") return false;
  const restarts = owned
    .filter(isActive)
    .flatMap(({ status }) => [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])])
    .reduce((sum, { restartCount }) => sum + restartCount, 0);
  return limit === 0 ? restarts > 0 : restarts >= limit;
}

/** Without a number of completions one success is enough, once the others have come to an end too. */
function hasEnough(job: Job, owned: readonly Pod[], tally: JobTally): boolean {
  const completions = job.spec?.completions;
  if (completions !== undefined) return tally.succeeded >= completions;
  return tally.succeeded > 0 && owned.every((pod) => isFinished(pod));
}

/** Undefined without a deadline, and while the job is suspended. */
export function deadlineLeftMs(job: Job, nowMs: number): number | undefined {
  const { activeDeadlineSeconds, suspend } = job.spec ?? {};
  if (activeDeadlineSeconds === undefined || suspend === true) return undefined;
  const startedMs = Date.parse(job.status?.startTime ?? "");
  return Number.isNaN(startedMs) ? undefined : startedMs + activeDeadlineSeconds * 1000 - nowMs;
}

/** Of a finished job, how long until it is removed; undefined when it stays. */
export function timeToLiveMs(job: Job, nowMs: number): number | undefined {
  const { ttlSecondsAfterFinished } = job.spec ?? {};
  if (ttlSecondsAfterFinished === undefined) return undefined;
  const end = (job.status?.conditions ?? []).find(({ type }) => type === "Complete" || type === "Failed");
  const endedMs = Date.parse(end?.lastTransitionTime ?? "");
  return Number.isNaN(endedMs) ? undefined : endedMs + ttlSecondsAfterFinished * 1000 - nowMs;
}

/** How long the next pod waits for the failures since the last success; zero when it need not. */
export function retryAfterMs(owned: readonly Pod[], nowMs: number): number {
  const finished = owned.filter(isFinished).map((pod) => ({ atMs: endMs(pod), phase: pod.status?.phase }));
  const successMs = Math.max(0, ...finished.filter(({ phase }) => phase === "Succeeded").map((f) => f.atMs));
  const failures = finished.filter(({ atMs, phase }) => phase === "Failed" && atMs >= successMs);
  if (failures.length === 0) return 0;
  const waitMs = Math.min(RETRY_MAX_MS, RETRY_BASE_MS * 2 ** Math.min(failures.length - 1, 30));
  return Math.max(0, Math.max(...failures.map(({ atMs }) => atMs)) + waitMs - nowMs);
}

function endMs({ status, metadata }: Pod): number {
  const ends = (status?.containerStatuses ?? []).map(({ state }) =>
    Date.parse(state?.terminated?.finishedAt ?? ""),
  );
  const known = ends.filter((end) => !Number.isNaN(end));
  return known.length > 0 ? Math.max(...known) : Date.parse(metadata?.creationTimestamp ?? "") || 0;
}
