/** When a node may have pods of the mesh: as soon as its agent enrols them (Istio's untaint controller). Pure. */

import type { Node, Pod } from "@meltemi/kubernetes";

/** Put on nodes by whoever makes them, so that no pod starts there before the mesh can see it. */
export const NOT_READY_TAINT = "cni.istio.io/not-ready";

export type Taint = NonNullable<NonNullable<Node["spec"]>["taints"]>[number];

/** The taints that the node is to keep; undefined when nothing is to be done. `agents`: the pods of the node agent on this node. */
export function decideTaints(node: Node, agents: readonly Pod[]): readonly Taint[] | undefined {
  const taints = node.spec?.taints ?? [];
  const kept = taints.filter(({ key }) => key !== NOT_READY_TAINT);
  if (kept.length === taints.length || !agents.some(isReady)) return undefined;
  return kept;
}

/** Ready, and not on its way out: the next agent has to say so itself. */
function isReady(pod: Pod): boolean {
  if (pod.metadata?.deletionTimestamp !== undefined) return false;
  return (pod.status?.conditions ?? []).some(({ type, status }) => type === "Ready" && status === "True");
}
