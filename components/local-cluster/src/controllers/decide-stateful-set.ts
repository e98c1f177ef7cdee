/** StatefulSet: pods with lasting names, made in order and updated from the highest down. Volume claims are not supported. */

import {
  type ControllerRevision,
  nameOf,
  PODS,
  type Pod,
  STATEFUL_SETS,
  type StatefulSet,
} from "@meltemi/kubernetes";
import { type Action, type Decision, statusAction } from "./action.ts";
import { REVISION_HASH } from "./daemon-pod.ts";
import { decideRevisions } from "./decide-revisions.ts";
import { isControlledBy, isTerminating } from "./ownership.ts";
import { availabilityOf, isActive, isFinished, isReady, nextAvailableMs } from "./pod-state.ts";
import { podFromTemplate } from "./templated-pod.ts";

export interface StatefulSetView {
  readonly set: StatefulSet;
  /** Hash of the current template. */
  readonly hash: string;
  /** All pods of its namespace. */
  readonly pods: readonly Pod[];
  /** All controller revisions of its namespace. */
  readonly revisions: readonly ControllerRevision[];
  readonly nowMs: number;
}

export function decideStatefulSet(view: StatefulSetView): Decision {
  const { set, hash, nowMs, revisions } = view;
  const owned = view.pods.filter((pod) => isControlledBy(pod, set));
  const actions: Action[] = [];
  if (!isTerminating(set)) {
    actions.push(...decideRevisions({ type: STATEFUL_SETS, set, hash, revisions, pods: owned }));
    // Pods without the volumes they ask for would lose what they write: none are made.
    if ((set.spec?.volumeClaimTemplates ?? []).length === 0) actions.push(...decidePods(view, owned));
  }
  actions.push(...statusAction(STATEFUL_SETS, set, statusOf(view, owned)));
  const recheckAfterMs = nextAvailableMs(owned, set.spec?.minReadySeconds ?? 0, nowMs);
  return recheckAfterMs === undefined ? { actions } : { actions, recheckAfterMs };
}

/** One step at a time, or all at once with the Parallel policy; an update begins when all pods are there and work. */
function decidePods(view: StatefulSetView, owned: readonly Pod[]): readonly Action[] {
  const { set } = view;
  const isParallel = set.spec?.podManagementPolicy === "Parallel";
  const byName = new Map(owned.map((pod) => [nameOf(pod), pod]));
  const wanted = ordinalsOf(set).map((ordinal) => `${nameOf(set)}-${ordinal}`);
  const steps: Action[] = [];
  let isWhole = true;
  for (const name of wanted) {
    const step = tend(view, name, byName.get(name));
    if (step.kind === "works") continue;
    isWhole = false;
    if (step.kind === "act") steps.push(step.action);
    if (!isParallel) return steps;
  }
  if (!isWhole) return steps;
  const surplus = owned
    .filter((pod) => !wanted.includes(nameOf(pod)))
    .sort((a, b) => ordinalOf(b) - ordinalOf(a));
  if (surplus.length > 0)
    return (isParallel ? surplus : surplus.slice(0, 1)).filter((pod) => !isTerminating(pod)).map(remove);
  return update(
    view,
    wanted.flatMap((name) => byName.get(name) ?? []),
  );
}

type Step =
  | { readonly kind: "works" }
  | { readonly kind: "wait" }
  | { readonly kind: "act"; readonly action: Action };

function tend(view: StatefulSetView, name: string, pod: Pod | undefined): Step {
  if (pod === undefined)
    return { kind: "act", action: { kind: "create", type: PODS, object: newPod(view, name) } };
  if (isTerminating(pod)) return { kind: "wait" };
  if (isFinished(pod)) return { kind: "act", action: remove(pod) };
  if (isAvailable(view, pod)) return { kind: "works" };
  // One of an old template that does not work will not get better by waiting.
  const isStuck = !isCurrent(view, pod) && !isReady(pod) && ordinalOf(pod) >= partitionOf(view.set);
  return isStuck && updates(view.set) ? { kind: "act", action: remove(pod) } : { kind: "wait" };
}

/** The highest pod of an old template goes; its successor takes its name. */
function update(view: StatefulSetView, pods: readonly Pod[]): readonly Action[] {
  if (!updates(view.set)) return [];
  const outdated = pods.findLast((pod) => !isCurrent(view, pod) && ordinalOf(pod) >= partitionOf(view.set));
  return outdated === undefined ? [] : [remove(outdated)];
}

function updates(set: StatefulSet): boolean {
  return set.spec?.updateStrategy?.type !== "OnDelete";
}

function partitionOf(set: StatefulSet): number {
  return set.spec?.updateStrategy?.rollingUpdate?.partition ?? 0;
}

function ordinalsOf(set: StatefulSet): readonly number[] {
  const start = set.spec?.ordinals?.start ?? 0;
  return Array.from({ length: set.spec?.replicas ?? 1 }, (_, index) => start + index);
}

function ordinalOf(pod: Pod): number {
  return Number(/-(\d+)$/.exec(nameOf(pod))?.[1] ?? "-1");
}

function newPod(view: StatefulSetView, name: string): Pod {
  const { set, hash } = view;
  const pod = podFromTemplate(STATEFUL_SETS, set, set.spec?.template, {
    name,
    labels: {
      [REVISION_HASH]: hash,
      "statefulset.kubernetes.io/pod-name": name,
      "apps.kubernetes.io/pod-index": name.slice(nameOf(set).length + 1),
    },
  });
  return {
    ...pod,
    spec: { containers: [], ...pod.spec, hostname: name, subdomain: set.spec?.serviceName ?? "" },
  };
}

function isCurrent(view: StatefulSetView, pod: Pod): boolean {
  return pod.metadata?.labels?.[REVISION_HASH] === view.hash;
}

function isAvailable(view: StatefulSetView, pod: Pod): boolean {
  return availabilityOf(pod, view.set.spec?.minReadySeconds ?? 0, view.nowMs).kind === "available";
}

function remove(object: Pod): Action {
  return { kind: "delete", type: PODS, object };
}

function statusOf(view: StatefulSetView, owned: readonly Pod[]): object {
  const { set, hash } = view;
  const active = owned.filter(isActive);
  const updated = active.filter((pod) => isCurrent(view, pod));
  const updateRevision = `${nameOf(set)}-${hash}`;
  const isDone = updated.length === active.length && updated.every(isReady);
  const currentRevision = isDone ? updateRevision : (set.status?.currentRevision ?? updateRevision);
  return {
    replicas: active.length,
    readyReplicas: active.filter(isReady).length,
    availableReplicas: active.filter((pod) => isAvailable(view, pod)).length,
    updatedReplicas: updated.length,
    currentReplicas: currentRevision === updateRevision ? updated.length : active.length - updated.length,
    currentRevision,
    updateRevision,
    observedGeneration: set.metadata?.generation ?? 0,
  };
}
