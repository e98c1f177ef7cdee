/** The pod that a daemon set makes for a node. */

import { DAEMON_SETS, type DaemonSet, type Node, nameOf, type Pod } from "@meltemi/kubernetes";
import type { Affinity, NodeSelectorTerm, PodSpec, Toleration } from "kubernetes-types/core/v1.js";
import { fitsNode, matchesNodeRules, toleratesTaint } from "./placement.ts";
import { podFromTemplate } from "./templated-pod.ts";

export const REVISION_HASH = "controller-revision-hash";

const NODE_NAME = "metadata.name";

/** Daemons stay where others leave: what every node's own agent must tolerate. */
const TOLERATIONS: readonly Toleration[] = [
  { key: "node.kubernetes.io/not-ready", operator: "Exists", effect: "NoExecute" },
  { key: "node.kubernetes.io/unreachable", operator: "Exists", effect: "NoExecute" },
  { key: "node.kubernetes.io/disk-pressure", operator: "Exists", effect: "NoSchedule" },
  { key: "node.kubernetes.io/memory-pressure", operator: "Exists", effect: "NoSchedule" },
  { key: "node.kubernetes.io/pid-pressure", operator: "Exists", effect: "NoSchedule" },
  { key: "node.kubernetes.io/unschedulable", operator: "Exists", effect: "NoSchedule" },
];
const HOST_NETWORK_TOLERATION: Toleration = {
  key: "node.kubernetes.io/network-unavailable",
  operator: "Exists",
  effect: "NoSchedule",
};

export function newDaemonPod(set: DaemonSet, node: Node, hash: string): Pod {
  const pod = podFromTemplate(DAEMON_SETS, set, set.spec?.template, {
    labels: { [REVISION_HASH]: hash, "pod-template-generation": String(set.metadata?.generation ?? 1) },
  });
  const affinity = pinnedTo(set.spec?.template.spec?.affinity, nameOf(node));
  return { ...pod, spec: { ...daemonPodSpec(set), affinity } };
}

/** The template's spec with the tolerations that every daemon has. */
function daemonPodSpec(set: DaemonSet): PodSpec {
  const spec = set.spec?.template.spec ?? { containers: [] };
  const added = spec.hostNetwork === true ? [...TOLERATIONS, HOST_NETWORK_TOLERATION] : TOLERATIONS;
  return { ...spec, tolerations: [...(spec.tolerations ?? []), ...added] };
}

/** The required terms of the template are replaced: they were judged when the node was chosen. */
function pinnedTo(affinity: Affinity | undefined, node: string): Affinity {
  const term: NodeSelectorTerm = { matchFields: [{ key: NODE_NAME, operator: "In", values: [node] }] };
  return {
    ...affinity,
    nodeAffinity: {
      ...affinity?.nodeAffinity,
      requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [term] },
    },
  };
}

/** Node of a daemon's pod: where it runs, or before that, where it is pinned to. */
export function nodeOfDaemonPod(pod: Pod): string | undefined {
  if (pod.spec?.nodeName) return pod.spec.nodeName;
  const terms =
    pod.spec?.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms ?? [];
  return terms.flatMap((term) => term.matchFields ?? []).find((field) => field.key === NODE_NAME)
    ?.values?.[0];
}

/** Whether the set wants a pod there, and whether one that is there may stay (NoSchedule taints do not drive out). */
export function wantsNode(set: DaemonSet, node: Node): { readonly run: boolean; readonly stay: boolean } {
  const spec = daemonPodSpec(set);
  const run = fitsNode(spec, node).kind === "fits";
  const driven = (node.spec?.taints ?? []).some(
    (taint) => taint.effect === "NoExecute" && !toleratesTaint(spec, taint),
  );
  return { run, stay: matchesNodeRules(spec, node) && !driven };
}
