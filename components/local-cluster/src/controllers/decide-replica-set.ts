/** ReplicaSet: as many pods as wanted, no more, no fewer. */

import { matchesLabelSelector, PODS, type Pod, REPLICA_SETS, type ReplicaSet } from "@meltemi/kubernetes";
import { type Action, type Decision, statusAction } from "./action.ts";
import {
  controllerOf,
  controllerReference,
  isControlledBy,
  isTerminating,
  ownersOf,
  uidOf,
} from "./ownership.ts";
import { availabilityOf, isActive, isReady, nextAvailableMs } from "./pod-state.ts";
import { podFromTemplate } from "./templated-pod.ts";

export interface ReplicaSetView {
  readonly set: ReplicaSet;
  /** All pods of its namespace. */
  readonly pods: readonly Pod[];
  readonly nowMs: number;
}

/** Pods made or removed in one go; what is left over follows in the next. */
const BURST_PODS = 500;

export function decideReplicaSet(view: ReplicaSetView): Decision {
  const { set, nowMs } = view;
  const { selector } = set.spec ?? {};
  const owned = view.pods.filter((pod) => isControlledBy(pod, set));
  const minReadySeconds = set.spec?.minReadySeconds ?? 0;
  const matching = owned.filter((pod) => matchesLabelSelector(selector, pod.metadata?.labels));
  const active = matching.filter(isActive);
  const actions: Action[] = [];
  if (!isTerminating(set)) {
    actions.push(...release(set, owned), ...adopt(set, view.pods));
    // What is adopted now is counted the next time, so that nothing is made in its stead.
    if (actions.length === 0) actions.push(...scale(set, active));
  }
  actions.push(...statusAction(REPLICA_SETS, set, statusOf(set, active, nowMs)));
  const recheckAfterMs = nextAvailableMs(active, minReadySeconds, nowMs);
  return recheckAfterMs === undefined ? { actions } : { actions, recheckAfterMs };
}

function scale(set: ReplicaSet, active: readonly Pod[]): readonly Action[] {
  const missing = (set.spec?.replicas ?? 1) - active.length;
  if (missing > 0)
    return Array.from({ length: Math.min(missing, BURST_PODS) }, () => ({
      kind: "create" as const,
      type: PODS,
      object: podFromTemplate(REPLICA_SETS, set, set.spec?.template),
    }));
  return [...active]
    .sort(byUsefulness)
    .slice(0, Math.min(-missing, BURST_PODS))
    .map((object) => ({ kind: "delete", type: PODS, object }));
}

const PHASE_RANK: Readonly<Record<string, number>> = { Pending: 0, Unknown: 1, Running: 2 };

/** The least useful first: without node, not running, not ready, then the youngest. */
function byUsefulness(a: Pod, b: Pod): number {
  return (
    Number((a.spec?.nodeName ?? "") !== "") - Number((b.spec?.nodeName ?? "") !== "") ||
    (PHASE_RANK[a.status?.phase ?? "Pending"] ?? 0) - (PHASE_RANK[b.status?.phase ?? "Pending"] ?? 0) ||
    Number(isReady(a)) - Number(isReady(b)) ||
    (b.metadata?.creationTimestamp ?? "").localeCompare(a.metadata?.creationTimestamp ?? "")
  );
}

/** Pods whose labels left the selector belong to nobody. */
function release(set: ReplicaSet, owned: readonly Pod[]): readonly Action[] {
  return owned
    .filter((pod) => !isTerminating(pod) && !matchesLabelSelector(set.spec?.selector, pod.metadata?.labels))
    .map((pod) =>
      ownersPatch(
        pod,
        ownersOf(pod).filter((owner) => owner.uid !== uidOf(set)),
      ),
    );
}

/** Pods that match and belong to nobody are taken in. */
function adopt(set: ReplicaSet, pods: readonly Pod[]): readonly Action[] {
  return pods
    .filter((pod) => isActive(pod) && controllerOf(pod) === undefined)
    .filter((pod) => matchesLabelSelector(set.spec?.selector, pod.metadata?.labels))
    .map((pod) => ownersPatch(pod, [...ownersOf(pod), controllerReference(REPLICA_SETS, set)]));
}

function ownersPatch(pod: Pod, owners: readonly object[]): Action {
  // In a merge patch null removes the field; an empty list would stay as one.
  const ownerReferences = owners.length === 0 ? null : owners;
  return { kind: "patch", type: PODS, object: pod, body: { metadata: { ownerReferences } }, guarded: true };
}

function statusOf(set: ReplicaSet, active: readonly Pod[], nowMs: number): object {
  const minReadySeconds = set.spec?.minReadySeconds ?? 0;
  const labels = set.spec?.template?.metadata?.labels ?? {};
  const isFullyLabelled = (pod: Pod): boolean =>
    Object.entries(labels).every(([key, value]) => pod.metadata?.labels?.[key] === value);
  return {
    replicas: active.length,
    fullyLabeledReplicas: active.filter(isFullyLabelled).length,
    readyReplicas: active.filter(isReady).length,
    availableReplicas: active.filter(
      (pod) => availabilityOf(pod, minReadySeconds, nowMs).kind === "available",
    ).length,
    observedGeneration: set.metadata?.generation ?? 0,
  };
}
