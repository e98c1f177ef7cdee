/** Node lifecycle: a node whose kubelet fell silent is marked, and its pods are no longer ready. */

import { NODES, type Node, PODS, type Pod } from "@meltemi/kubernetes";
import type { NodeCondition, Taint } from "kubernetes-types/core/v1.js";
import type { Action, Decision } from "./action.ts";
import { canonical } from "./template-hash.ts";

export interface NodeView {
  readonly node: Node;
  /** Pods on the node. */
  readonly pods: readonly Pod[];
  /** How long its lease has not been renewed, by our own clock; undefined when it has none (then nothing is concluded). */
  readonly silentMs: number | undefined;
  /** RFC 3339. */
  readonly now: string;
}

/** Kubernetes' node monitor grace period: four missed renewals of 10 s. */
export const NODE_GRACE_MS = 40_000;

const NOT_READY = "node.kubernetes.io/not-ready";
const UNREACHABLE = "node.kubernetes.io/unreachable";

export function decideNode(view: NodeView): Decision {
  const silent = view.silentMs !== undefined && view.silentMs >= NODE_GRACE_MS;
  const actions: Action[] = [];
  const ready = view.node.status?.conditions?.find(({ type }) => type === "Ready");
  if (silent && ready?.status !== "Unknown") actions.push(markUnknown(view, ready));
  const status = silent ? "Unknown" : (ready?.status ?? "Unknown");
  actions.push(...taint(view.node, status));
  if (silent) actions.push(...view.pods.flatMap((pod) => markUnready(pod, view.now)));
  const recheckAfterMs = view.silentMs === undefined || silent ? undefined : NODE_GRACE_MS - view.silentMs;
  return recheckAfterMs === undefined ? { actions } : { actions, recheckAfterMs };
}

function markUnknown(view: NodeView, ready: NodeCondition | undefined): Action {
  const condition: NodeCondition = {
    type: "Ready",
    status: "Unknown",
    reason: "NodeStatusUnknown",
    message: "Kubelet stopped posting node status.",
    lastTransitionTime: view.now,
    ...(ready?.lastHeartbeatTime === undefined ? {} : { lastHeartbeatTime: ready.lastHeartbeatTime }),
  };
  const others = (view.node.status?.conditions ?? []).filter(({ type }) => type !== "Ready");
  const body = { status: { conditions: [...others, condition] } };
  return { kind: "patch", type: NODES, object: view.node, body, subresource: "status", guarded: true };
}

/** The two taints follow the Ready condition; all others are somebody else's. */
function taint(node: Node, ready: string): readonly Action[] {
  const key = ready === "True" ? undefined : ready === "False" ? NOT_READY : UNREACHABLE;
  const present = node.spec?.taints ?? [];
  const others = present.filter((each) => each.key !== NOT_READY && each.key !== UNREACHABLE);
  const kept = present.filter((each) => each.key === key);
  const effects = ["NoSchedule", "NoExecute"];
  const own: Taint[] =
    key === undefined
      ? []
      : effects.map((effect) => kept.find((each) => each.effect === effect) ?? { key, effect });
  const taints = [...others, ...own];
  if (canonical(taints) === canonical(present)) return [];
  return [{ kind: "patch", type: NODES, object: node, body: { spec: { taints } }, guarded: true }];
}

/** Nobody knows how the pod fares: traffic must go elsewhere. The kubelet says otherwise when it is back. */
function markUnready(pod: Pod, now: string): readonly Action[] {
  const conditions = pod.status?.conditions ?? [];
  const ready = conditions.find(({ type }) => type === "Ready");
  if (ready?.status !== "True") return [];
  const others = conditions.filter(({ type }) => type !== "Ready");
  const body = {
    status: { conditions: [...others, { ...ready, status: "False", lastTransitionTime: now }] },
  };
  return [{ kind: "patch", type: PODS, object: pod, body, subresource: "status", guarded: true }];
}

/** Pods of a node that has been gone for the grace period end without a kubelet: nobody is left who could end them. */
export function decideLostPods(pods: readonly Pod[], goneMs: number): Decision {
  if (pods.length === 0) return { actions: [] };
  if (goneMs < NODE_GRACE_MS) return { actions: [], recheckAfterMs: NODE_GRACE_MS - goneMs };
  return { actions: pods.map((object) => ({ kind: "delete", type: PODS, object, gracePeriodSeconds: 0 })) };
}
