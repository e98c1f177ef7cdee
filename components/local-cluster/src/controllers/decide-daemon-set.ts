/** DaemonSet: one pod on every node that wants it; updates node by node, with a second pod first where surge allows. */

import {
  type ControllerRevision,
  DAEMON_SETS,
  type DaemonSet,
  type Node,
  nameOf,
  PODS,
  type Pod,
} from "@meltemi/kubernetes";
import { type Action, type Decision, statusAction } from "./action.ts";
import { newDaemonPod, nodeOfDaemonPod, REVISION_HASH, wantsNode } from "./daemon-pod.ts";
import { decideRevisions } from "./decide-revisions.ts";
import { isControlledBy, isTerminating } from "./ownership.ts";
import { availabilityOf, isFinished, isReady, nextAvailableMs } from "./pod-state.ts";
import { share } from "./rollout-bounds.ts";

export interface DaemonSetView {
  readonly set: DaemonSet;
  /** Hash of the current template. */
  readonly hash: string;
  readonly nodes: readonly Node[];
  /** All pods of its namespace. */
  readonly pods: readonly Pod[];
  /** All controller revisions of its namespace. */
  readonly revisions: readonly ControllerRevision[];
  readonly nowMs: number;
}

/** A node as the set sees it. */
interface Place {
  readonly node: Node;
  readonly run: boolean;
  readonly stay: boolean;
  /** Pods of the set there that are not terminating, oldest first. */
  readonly pods: readonly Pod[];
  readonly terminating: number;
  readonly current: Pod | undefined;
  readonly old: Pod | undefined;
}

export function decideDaemonSet(view: DaemonSetView): Decision {
  const { set, nowMs } = view;
  const owned = view.pods.filter((pod) => isControlledBy(pod, set));
  const places = view.nodes.map((node) => placeOf(view, node, owned));
  const actions: Action[] = [];
  if (!isTerminating(set)) {
    const { hash, revisions } = view;
    actions.push(...decideRevisions({ type: DAEMON_SETS, set, hash, revisions, pods: owned }));
    actions.push(...removeStray(view, owned), ...places.flatMap((place) => tend(view, place)));
    if (set.spec?.updateStrategy?.type !== "OnDelete") actions.push(...update(view, places));
  }
  actions.push(...statusAction(DAEMON_SETS, set, statusOf(view, places)));
  const recheckAfterMs = nextAvailableMs(owned, set.spec?.minReadySeconds ?? 0, nowMs);
  return recheckAfterMs === undefined ? { actions } : { actions, recheckAfterMs };
}

function placeOf(view: DaemonSetView, node: Node, owned: readonly Pod[]): Place {
  const there = owned
    .filter((pod) => nodeOfDaemonPod(pod) === nameOf(node))
    .sort((a, b) => (a.metadata?.creationTimestamp ?? "").localeCompare(b.metadata?.creationTimestamp ?? ""));
  const pods = there.filter((pod) => !isTerminating(pod));
  const isCurrent = (pod: Pod): boolean => pod.metadata?.labels?.[REVISION_HASH] === view.hash;
  return {
    node,
    ...wantsNode(view.set, node),
    pods,
    terminating: there.length - pods.length,
    current: pods.find((pod) => isCurrent(pod) && !isFinished(pod)),
    old: pods.find((pod) => !isCurrent(pod) && !isFinished(pod)),
  };
}

/** Pods whose node is gone. */
function removeStray(view: DaemonSetView, owned: readonly Pod[]): readonly Action[] {
  const known = new Set(view.nodes.map(nameOf));
  return owned.filter((pod) => !isTerminating(pod) && !known.has(nodeOfDaemonPod(pod) ?? "")).map(remove);
}

/** First pods, pods too many, pods that ended, pods where none may stay. Updates are not made here. */
function tend(view: DaemonSetView, place: Place): readonly Action[] {
  if (!place.stay) return place.pods.map(remove);
  const ended = place.pods.filter(isFinished);
  if (ended.length > 0) return ended.map(remove);
  const surplus = place.pods.filter((pod) => pod !== place.current && pod !== place.old);
  // Until the last one is gone its ports and files may be in use.
  const empty = place.pods.length === 0 && place.terminating === 0;
  const first = empty && place.run ? [create(view, place)] : [];
  return [...surplus.map(remove), ...first];
}

function update(view: DaemonSetView, places: readonly Place[]): readonly Action[] {
  const wanted = places.filter((place) => place.run);
  const rolling = view.set.spec?.updateStrategy?.rollingUpdate;
  const surge = share(rolling?.maxSurge ?? 0, wanted.length, Math.ceil);
  const unavailable = share(rolling?.maxUnavailable ?? 1, wanted.length, Math.ceil);
  return surge > 0 ? surgeUpdate(view, wanted, surge) : plainUpdate(view, wanted, Math.max(1, unavailable));
}

/** New beside old; the old one goes when the new one is available. At most `surge` nodes have two at a time. */
function surgeUpdate(view: DaemonSetView, places: readonly Place[], surge: number): readonly Action[] {
  const actions: Action[] = [];
  let room = surge - places.filter(({ old, current }) => old !== undefined && current !== undefined).length;
  for (const place of places) {
    const { old, current } = place;
    if (old === undefined) continue;
    if (current !== undefined) {
      if (isAvailable(view, current) || !isAvailable(view, old)) actions.push(remove(old));
    } else if (!isAvailable(view, old)) {
      // It serves nobody: replacing it takes nothing away, and needs no room.
      actions.push(remove(old), ...(place.terminating === 0 ? [create(view, place)] : []));
    } else if (room > 0 && place.terminating === 0) {
      room--;
      actions.push(create(view, place));
    }
  }
  return actions;
}

/** Old goes first, its successor comes once it is gone; at most `unavailable` nodes are without a working pod. */
function plainUpdate(view: DaemonSetView, places: readonly Place[], unavailable: number): readonly Action[] {
  const works = ({ old, current }: Place): boolean =>
    [old, current].some((pod) => pod !== undefined && isAvailable(view, pod));
  let room = unavailable - places.filter((place) => !works(place)).length;
  const actions: Action[] = [];
  for (const place of places) {
    if (place.old === undefined) continue;
    if (!works(place) || place.current !== undefined) actions.push(remove(place.old));
    else if (room > 0) {
      room--;
      actions.push(remove(place.old));
    }
  }
  return actions;
}

function isAvailable(view: DaemonSetView, pod: Pod): boolean {
  return availabilityOf(pod, view.set.spec?.minReadySeconds ?? 0, view.nowMs).kind === "available";
}

function create(view: DaemonSetView, place: Place): Action {
  return { kind: "create", type: PODS, object: newDaemonPod(view.set, place.node, view.hash) };
}

function remove(object: Pod): Action {
  return { kind: "delete", type: PODS, object };
}

function statusOf(view: DaemonSetView, places: readonly Place[]): object {
  const wanted = places.filter((place) => place.run);
  const count = (test: (pod: Pod) => boolean): number =>
    wanted.filter((place) => place.pods.some(test)).length;
  const available = count((pod) => isAvailable(view, pod));
  return {
    desiredNumberScheduled: wanted.length,
    currentNumberScheduled: wanted.filter((place) => place.pods.length > 0).length,
    numberMisscheduled: places.filter((place) => !place.run && place.pods.length > 0).length,
    numberReady: count(isReady),
    numberAvailable: available,
    numberUnavailable: wanted.length - available,
    // Where two are, the older one counts: whoever waits for an update waits for it to go.
    updatedNumberScheduled: wanted.filter(({ old, current }) => old === undefined && current !== undefined)
      .length,
    observedGeneration: view.set.metadata?.generation ?? 0,
  };
}
