/** How many of the pods that a PodDisruptionBudget covers may be evicted now: written into its status, which evictions ask. */

import {
  matchesLabelSelector,
  POD_DISRUPTION_BUDGETS,
  type Pod,
  type PodDisruptionBudget,
  type ReplicaSet,
  type StatefulSet,
} from "@meltemi/kubernetes";
import { timestamp } from "../timestamp.ts";
import { type Decision, statusAction } from "./action.ts";
import { EVICTION_TIMEOUT_MS, pendingEvictions, settledEvictions } from "./disrupted-pods.ts";
import { controllerOf } from "./ownership.ts";
import { isActive, isReady } from "./pod-state.ts";
import { share } from "./rollout-bounds.ts";

export interface DisruptionView {
  readonly budget: PodDisruptionBudget;
  /** All pods of its namespace. */
  readonly pods: readonly Pod[];
  /** What may say how many pods there should be, of its namespace. */
  readonly replicaSets: readonly ReplicaSet[];
  readonly statefulSets: readonly StatefulSet[];
  readonly nowMs: number;
}

export function decideDisruptionBudget(view: DisruptionView): Decision {
  const { budget, nowMs } = view;
  const covered = view.pods.filter((pod) => isActive(pod) && covers(budget, pod));
  const disrupted = pendingEvictions(budget, view.pods, nowMs);
  const counted = covered.filter((pod) => !disrupted.has(pod.metadata?.name ?? ""));
  const currentHealthy = counted.filter(isReady).length;
  const expectedPods = expectedCount(view, covered);
  const desiredHealthy = desiredCount(budget, expectedPods, covered.length);
  // Nothing covered, nothing to allow.
  const disruptionsAllowed = expectedPods === 0 ? 0 : Math.max(0, currentHealthy - desiredHealthy);
  const actions = statusAction(POD_DISRUPTION_BUDGETS, budget, {
    currentHealthy,
    desiredHealthy,
    disruptionsAllowed,
    expectedPods,
    observedGeneration: budget.metadata?.generation ?? 0,
    disruptedPods: settledEvictions(budget, disrupted),
    conditions: [condition(view, disruptionsAllowed > 0)],
  });
  return disrupted.size === 0 ? { actions } : { actions, recheckAfterMs: EVICTION_TIMEOUT_MS };
}

/** No selector covers nothing, an empty one everything. */
export function covers({ spec }: PodDisruptionBudget, pod: Pod): boolean {
  return matchesLabelSelector(spec?.selector, pod.metadata?.labels);
}

/** How many pods their controllers want; a pod without one counts for itself. */
function expectedCount({ replicaSets, statefulSets }: DisruptionView, covered: readonly Pod[]): number {
  const replicas = new Map(
    [...replicaSets, ...statefulSets].map((set) => [set.metadata?.uid, set.spec?.replicas ?? 1]),
  );
  const owners = new Map<string, number>();
  for (const pod of covered) {
    const uid = controllerOf(pod)?.uid;
    const wanted = uid === undefined ? undefined : replicas.get(uid);
    const key = wanted === undefined ? `pod ${pod.metadata?.name}` : (uid ?? "");
    owners.set(key, wanted ?? 1);
  }
  return [...owners.values()].reduce((sum, count) => sum + count, 0);
}

function desiredCount({ spec }: PodDisruptionBudget, expected: number, covered: number): number {
  const { minAvailable, maxUnavailable } = spec ?? {};
  if (maxUnavailable !== undefined) return Math.max(0, expected - share(maxUnavailable, expected, Math.ceil));
  if (minAvailable === undefined) return covered;
  return share(minAvailable, expected, Math.ceil);
}

function condition({ budget, nowMs }: DisruptionView, allowed: boolean): object {
  const status = allowed ? "True" : "False";
  const before = budget.status?.conditions?.find(({ type }) => type === "DisruptionAllowed");
  return {
    type: "DisruptionAllowed",
    status,
    reason: allowed ? "SufficientPods" : "InsufficientPods",
    message: "",
    observedGeneration: budget.metadata?.generation ?? 0,
    lastTransitionTime: before?.status === status ? before.lastTransitionTime : timestamp(nowMs),
  };
}
