/** Job: pods that run to their end, until enough of them have succeeded or too many have failed. */

import { JOBS, type Job, PODS, type Pod } from "@meltemi/kubernetes";
import type { JobCondition } from "kubernetes-types/batch/v1.js";
import { type Action, type Decision, statusAction } from "./action.ts";
import {
  conditionOf,
  deadlineLeftMs,
  decideJobEnd,
  type JobEnd,
  retryAfterMs,
  timeToLiveMs,
} from "./job-end.ts";
import { isTracked, type JobTally, TRACKING_FINALIZER, tallyOf } from "./job-tally.ts";
import { isControlledBy, isTerminating } from "./ownership.ts";
import { isActive, isFinished, isReady } from "./pod-state.ts";
import { podFromTemplate } from "./templated-pod.ts";

export interface JobView {
  readonly job: Job;
  /** All pods of its namespace. */
  readonly pods: readonly Pod[];
  readonly nowMs: number;
  /** The same moment as Kubernetes writes it. */
  readonly now: string;
}

/** What a decision is made from, once the job's own pods are known and counted. */
interface Known extends JobView {
  readonly owned: readonly Pod[];
  readonly tally: JobTally;
}

/** Pods made in one go; what is left over follows in the next. */
const BURST_PODS = 500;

export function decideJob(view: JobView): Decision {
  const { job, nowMs } = view;
  const owned = view.pods.filter((pod) => isControlledBy(pod, job));
  if (isTerminating(job)) return { actions: releaseAll(owned) };
  if (conditionOf(job, "Complete") || conditionOf(job, "Failed")) return afterEnd(job, owned, nowMs);
  const tally = tallyOf(job, owned);
  const known = { ...view, owned, tally };
  const end = decideJobEnd(job, owned, tally, nowMs);
  const step =
    end !== undefined ? windUp(known, end) : job.spec?.suspend === true ? suspend(known) : goOn(known);
  const status = { ...countsOf(owned), ...tally.status, ...step.status };
  const actions = [...step.actions, ...releaseAll(tally.releasable), ...statusAction(JOBS, job, status)];
  return step.recheckAfterMs === undefined ? { actions } : { actions, recheckAfterMs: step.recheckAfterMs };
}

/** Pods that are held for nothing but to be counted, by a job that is gone or has counted them. */
export function releaseAll(pods: readonly Pod[]): readonly Action[] {
  return pods.filter(isTracked).map(release);
}

interface Step {
  readonly actions: readonly Action[];
  readonly status: object;
  readonly recheckAfterMs?: number | undefined;
}

/** As many pods as are wanted at a time, no more than are still needed. */
function goOn({ job, owned, tally, nowMs, now }: Known): Step {
  const active = owned.filter(isActive);
  const missing = wantedPods(job, active.length, tally) - active.length;
  const waitMs = missing > 0 ? retryAfterMs(owned, nowMs) : 0;
  const actions =
    missing <= 0 ? dismiss(active.slice(0, -missing)) : waitMs === 0 ? newPods(job, missing) : [];
  const resumed = conditionOf(job, "Suspended")
    ? conditions(job, { type: "Suspended", status: "False", ...RESUMED }, now)
    : (job.status?.conditions ?? []);
  const startTime = job.status?.startTime ?? now;
  const started = { ...job, status: { ...job.status, startTime } };
  const waits = [waitMs > 0 ? waitMs : undefined, deadlineLeftMs(started, nowMs)].filter(
    (wait) => wait !== undefined,
  );
  return {
    actions,
    status: { startTime, conditions: orNull(resumed) },
    recheckAfterMs: waits.length === 0 ? undefined : Math.min(...waits),
  };
}

function wantedPods(job: Job, active: number, tally: JobTally): number {
  const { completions, parallelism = 1 } = job.spec ?? {};
  if (completions !== undefined) return Math.min(parallelism, Math.max(0, completions - tally.succeeded));
  // One has found the work done: the others end by themselves, and none follows.
  return tally.succeeded > 0 ? Math.min(active, parallelism) : parallelism;
}

function newPods(job: Job, count: number): readonly Action[] {
  const pod = podFromTemplate(JOBS, job, job.spec?.template);
  const finalizers = [...(pod.metadata?.finalizers ?? []), TRACKING_FINALIZER];
  const object: Pod = { ...pod, metadata: { ...pod.metadata, finalizers } };
  return Array.from({ length: Math.min(count, BURST_PODS) }, () => ({ kind: "create", type: PODS, object }));
}

const SUSPENDED = { reason: "JobSuspended", message: "Job suspended" } as const;
const RESUMED = { reason: "JobResumed", message: "Job resumed" } as const;

function suspend({ job, owned, now }: Known): Step {
  const suspended = conditions(job, { type: "Suspended", status: "True", ...SUSPENDED }, now);
  return {
    actions: dismiss(owned.filter(isActive)),
    status: { startTime: null, conditions: suspended },
  };
}

/** Pods that still run go first; the end is told when nothing of the job is left running or uncounted. */
function windUp({ job, owned, tally, now }: Known, end: JobEnd): Step {
  const { reason, message } = end;
  const active = owned.filter(isActive);
  const interim = end.kind === "failed" ? "FailureTarget" : "SuccessCriteriaMet";
  const isQuiet = owned.every(isFinished) && tally.status.uncountedTerminatedPods === null;
  const decided = conditions(job, { type: interim, status: "True", reason, message }, now);
  if (!isQuiet)
    return {
      // What is stopped because of a failure counts as failed; what is stopped because of a success was one too many.
      actions: end.kind === "failed" ? active.map(remove) : dismiss(active),
      status: { conditions: decided },
    };
  const final = end.kind === "failed" ? "Failed" : "Complete";
  const told: Job = { ...job, status: { ...job.status, conditions: [...decided] } };
  return {
    actions: [],
    status: {
      conditions: conditions(told, { type: final, status: "True", reason, message }, now),
      ...(end.kind === "complete" ? { completionTime: now } : {}),
    },
  };
}

/** Finished for good: its pods stay for whoever reads their logs, until its time to live is over. */
function afterEnd(job: Job, owned: readonly Pod[], nowMs: number): Decision {
  const actions = releaseAll(owned);
  const leftMs = timeToLiveMs(job, nowMs);
  if (leftMs === undefined) return { actions };
  if (leftMs > 0) return { actions, recheckAfterMs: leftMs };
  return { actions: [...actions, { kind: "delete", type: JOBS, object: job, propagation: "Foreground" }] };
}

function countsOf(owned: readonly Pod[]): object {
  const active = owned.filter(isActive);
  return {
    active: active.length,
    ready: active.filter(isReady).length,
    terminating: owned.filter((pod) => isTerminating(pod) && !isFinished(pod)).length,
  };
}

/** The job's conditions with this one in its place. */
function conditions(
  job: Job,
  wanted: Pick<JobCondition, "type" | "status" | "reason" | "message">,
  now: string,
): readonly JobCondition[] {
  const all = job.status?.conditions ?? [];
  const before = all.find(({ type }) => type === wanted.type);
  const others = all.filter((condition) => condition !== before);
  if (before?.status === wanted.status) return all;
  return [...others, { ...wanted, lastProbeTime: now, lastTransitionTime: now }];
}

/** Ends pods that are not wanted any more, without counting them. */
function dismiss(pods: readonly Pod[]): readonly Action[] {
  return pods.flatMap((pod) => [...releaseAll([pod]), remove(pod)]);
}

function remove(object: Pod): Action {
  return { kind: "delete", type: PODS, object };
}

function release(pod: Pod): Action {
  const finalizers = (pod.metadata?.finalizers ?? []).filter((name) => name !== TRACKING_FINALIZER);
  return {
    kind: "patch",
    type: PODS,
    object: pod,
    body: { metadata: { finalizers: orNull(finalizers) } },
    guarded: true,
  };
}

/** In a merge patch null removes the field; an empty list would stay as one. */
function orNull<T>(list: readonly T[]): readonly T[] | null {
  return list.length === 0 ? null : list;
}
