/** Status of a deployment: counts, and the conditions that `kubectl rollout status` and `kubectl wait` read. */

import type { Deployment } from "@meltemi/kubernetes";
import type { DeploymentCondition } from "kubernetes-types/apps/v1.js";
import { timestamp } from "../timestamp.ts";
import { availableReplicas, type Rollout, sum } from "./deployment-view.ts";

interface Counts {
  readonly replicas: number;
  readonly updatedReplicas: number;
  readonly readyReplicas: number;
  readonly availableReplicas: number;
  readonly unavailableReplicas: number;
}

/** Kubernetes' default. */
const PROGRESS_DEADLINE_SECONDS = 600;

export function deploymentStatus(
  rollout: Rollout,
  nowMs: number,
): { readonly status: object; readonly recheckAfterMs?: number } {
  const { deployment } = rollout;
  const counts = countsOf(rollout);
  const now = timestamp(nowMs);
  const progressing = progressCondition(rollout, counts, nowMs);
  const conditions = [
    stamped(deployment, availableCondition(rollout, counts), now, false),
    stamped(deployment, progressing.condition, now, progressing.moved),
  ];
  const kept = (deployment.status?.conditions ?? []).filter(
    ({ type }) => type !== "Available" && type !== "Progressing",
  );
  const status = {
    ...counts,
    observedGeneration: deployment.metadata?.generation ?? 0,
    conditions: [...conditions, ...kept],
  };
  const { recheckAfterMs } = progressing;
  return recheckAfterMs === undefined ? { status } : { status, recheckAfterMs };
}

function countsOf(rollout: Rollout): Counts {
  const sets = rollout.current === undefined ? rollout.old : [rollout.current, ...rollout.old];
  const replicas = sum(sets.map((set) => set.status?.replicas ?? 0));
  const available = sum(sets.map(availableReplicas));
  return {
    replicas,
    updatedReplicas: rollout.current?.status?.replicas ?? 0,
    readyReplicas: sum(sets.map((set) => set.status?.readyReplicas ?? 0)),
    availableReplicas: available,
    unavailableReplicas: Math.max(0, Math.max(replicas, rollout.wanted) - available),
  };
}

type Condition = Pick<DeploymentCondition, "type" | "status"> & {
  readonly reason: string;
  readonly message: string;
};

function availableCondition(rollout: Rollout, counts: Counts): Condition {
  const enough = counts.availableReplicas >= rollout.wanted - rollout.unavailable;
  return enough
    ? {
        type: "Available",
        status: "True",
        reason: "MinimumReplicasAvailable",
        message: "Deployment has minimum availability.",
      }
    : {
        type: "Available",
        status: "False",
        reason: "MinimumReplicasUnavailable",
        message: "Deployment does not have minimum availability.",
      };
}

interface Progress {
  readonly condition: Condition;
  /** Something moved: the deadline counts from now. */
  readonly moved: boolean;
  readonly recheckAfterMs?: number;
}

function progressCondition(rollout: Rollout, counts: Counts, nowMs: number): Progress {
  const { deployment, current, currentName } = rollout;
  const named = `ReplicaSet "${currentName}"`;
  if (deployment.spec?.paused === true)
    return { condition: progress("Unknown", "DeploymentPaused", "Deployment is paused"), moved: false };
  if (isComplete(rollout, counts))
    return {
      condition: progress("True", "NewReplicaSetAvailable", `${named} has successfully progressed.`),
      moved: false,
    };
  const before = deployment.status?.conditions?.find(({ type }) => type === "Progressing");
  const moved = hasMoved(deployment, counts) || before === undefined || isSettled(before);
  if (moved) {
    const condition =
      current === undefined
        ? progress("True", "NewReplicaSetCreated", `Created new replica set "${currentName}"`)
        : progress("True", "ReplicaSetUpdated", `${named} is progressing.`);
    return { condition, moved, recheckAfterMs: deadlineMs(deployment) };
  }
  const leftMs = Date.parse(before.lastUpdateTime ?? "") + deadlineMs(deployment) - nowMs;
  if (leftMs > 0)
    return {
      condition: progress("True", before.reason ?? "ReplicaSetUpdated", before.message ?? ""),
      moved,
      recheckAfterMs: leftMs,
    };
  return {
    condition: progress("False", "ProgressDeadlineExceeded", `${named} has timed out progressing.`),
    moved,
  };
}

function isComplete(rollout: Rollout, counts: Counts): boolean {
  const { wanted, current } = rollout;
  return (
    current !== undefined &&
    counts.updatedReplicas === wanted &&
    counts.replicas === wanted &&
    counts.availableReplicas === wanted
  );
}

/** More of the new, fewer of the old, or more that work. */
function hasMoved(deployment: Deployment, counts: Counts): boolean {
  const before = deployment.status ?? {};
  const oldBefore = (before.replicas ?? 0) - (before.updatedReplicas ?? 0);
  return (
    counts.updatedReplicas > (before.updatedReplicas ?? 0) ||
    counts.replicas - counts.updatedReplicas < oldBefore ||
    counts.readyReplicas > (before.readyReplicas ?? 0) ||
    counts.availableReplicas > (before.availableReplicas ?? 0)
  );
}

/** The last rollout had ended, or the deployment was paused: what happens now is a new start. */
function isSettled(condition: DeploymentCondition): boolean {
  return condition.reason === "NewReplicaSetAvailable" || condition.reason === "DeploymentPaused";
}

function deadlineMs(deployment: Deployment): number {
  return (deployment.spec?.progressDeadlineSeconds ?? PROGRESS_DEADLINE_SECONDS) * 1000;
}

function progress(status: string, reason: string, message: string): Condition {
  return { type: "Progressing", status, reason, message };
}

/** Keeps the times of a condition that says what it said before. */
function stamped(
  deployment: Deployment,
  condition: Condition,
  now: string,
  moved: boolean,
): DeploymentCondition {
  const before = deployment.status?.conditions?.find(({ type }) => type === condition.type);
  const sameStatus = before?.status === condition.status;
  const same =
    sameStatus && before.reason === condition.reason && before.message === condition.message && !moved;
  return {
    ...condition,
    lastUpdateTime: (same ? before.lastUpdateTime : undefined) ?? now,
    lastTransitionTime: (sameStatus ? before.lastTransitionTime : undefined) ?? now,
  };
}
