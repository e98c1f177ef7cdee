/**
 * Counts a job's finished pods once each, also those that somebody deletes: a pod is held by a finalizer until the job's status has
 * its outcome. First its uid is put into the status, then the finalizer is taken away, then the uid becomes a number
 * (Kubernetes: "job tracking with finalizers"). Each step is seen in the store before the next, so a crash between them counts
 * nothing twice.
 */

import type { Job, Pod } from "@meltemi/kubernetes";
import { isTerminating, uidOf } from "./ownership.ts";

export const TRACKING_FINALIZER = "batch.kubernetes.io/job-tracking";
/** Uids taken into the status in one go: a status stays small. */
const MAX_UNCOUNTED = 500;

export interface JobTally {
  /** Outcomes known by now, the ones among the uids included. */
  readonly succeeded: number;
  readonly failed: number;
  /** Fields of the status. */
  readonly status: {
    readonly succeeded: number;
    readonly failed: number;
    readonly uncountedTerminatedPods: Uncounted | null;
  };
  /** Pods whose outcome the status has: nothing holds them any more. */
  readonly releasable: readonly Pod[];
}

interface Uncounted {
  readonly succeeded: readonly string[];
  readonly failed: readonly string[];
}

type PodEnd = "succeeded" | "failed";

/** `owned` are the pods that the job controls. */
export function tallyOf(job: Job, owned: readonly Pod[]): JobTally {
  const { status = {} } = job;
  const tracked = new Map(owned.filter(isTracked).map((pod) => [uidOf(pod), pod]));
  const known = new Set([
    ...(status.uncountedTerminatedPods?.succeeded ?? []),
    ...(status.uncountedTerminatedPods?.failed ?? []),
  ]);
  const fresh = [...tracked].filter(([uid]) => !known.has(uid));
  const count = (end: PodEnd): { readonly counted: number; readonly uids: readonly string[] } => {
    const before = status.uncountedTerminatedPods?.[end] ?? [];
    const held = before.filter((uid) => tracked.has(uid));
    const added = fresh.filter(([, pod]) => endOf(pod) === end).map(([uid]) => uid);
    return {
      counted: (status[end] ?? 0) + before.length - held.length,
      uids: [...held, ...added].slice(0, MAX_UNCOUNTED),
    };
  };
  const [succeeded, failed] = [count("succeeded"), count("failed")];
  const isEmpty = succeeded.uids.length + failed.uids.length === 0;
  return {
    succeeded: succeeded.counted + succeeded.uids.length,
    failed: failed.counted + failed.uids.length,
    status: {
      succeeded: succeeded.counted,
      failed: failed.counted,
      uncountedTerminatedPods: isEmpty ? null : { succeeded: succeeded.uids, failed: failed.uids },
    },
    releasable: [...tracked].filter(([uid]) => known.has(uid)).map(([, pod]) => pod),
  };
}

/** A pod that is deleted before its end will not reach one that counts. */
function endOf(pod: Pod): PodEnd | undefined {
  if (pod.status?.phase === "Succeeded") return "succeeded";
  return pod.status?.phase === "Failed" || isTerminating(pod) ? "failed" : undefined;
}

export function isTracked(pod: Pod): boolean {
  return pod.metadata?.finalizers?.includes(TRACKING_FINALIZER) === true;
}
