/** Takes the taint from nodes whose agent is ready, while this control plane leads. Agents have no right to change nodes. */

import {
  createInformer,
  createWorkQueue,
  isNotFound,
  type KubernetesClient,
  NODES,
  nameOf,
  PODS,
  type Pod,
} from "@meltemi/kubernetes";
import type { Clock, Logger } from "@meltemi/runtime";
import { decideTaints } from "./decide-taints.ts";

export interface UntaintDependencies {
  readonly client: Pick<KubernetesClient, "list" | "watch" | "patch">;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Logger;
}

const AGENTS = "k8s-app=istio-cni-node";
const BY_NODE = "node";
/** Also a conflict: somebody else changed the node meanwhile, and the informer will know of it. */
const BACKOFF = { baseMs: 50, maxMs: 30_000, jitter: 0.2 } as const;

/** Runs until the signal fires. `namespace`: the node agent's. */
export async function runUntaint(
  namespace: string,
  deps: UntaintDependencies,
  signal: AbortSignal,
): Promise<void> {
  if (signal.aborted) return;
  const nodes = createInformer(deps.client, NODES, {}, deps);
  const agents = createInformer(
    deps.client,
    PODS,
    { namespace, labelSelector: AGENTS, indexes: { [BY_NODE]: (pod) => [pod.spec?.nodeName ?? ""] } },
    deps,
  );
  const reconcile = async (name: string, stop: AbortSignal): Promise<void> => {
    const node = nodes.get(name);
    const taints = node && decideTaints(node, agents.byIndex(BY_NODE, name));
    if (node === undefined || taints === undefined) return;
    // With the version that was judged: a taint that somebody adds meanwhile is not lost.
    const body = { metadata: { resourceVersion: node.metadata?.resourceVersion }, spec: { taints } };
    try {
      await deps.client.patch(NODES, { name }, { kind: "merge", body }, { signal: stop });
      deps.log.info("node may have pods: its agent is ready", { node: name });
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
  };
  const queue = createWorkQueue({ name: "untaint", backoff: BACKOFF }, { ...deps, reconcile });
  const enqueue = (pod: Pod): void => queue.add(pod.spec?.nodeName ?? "");
  nodes.onChange({
    add: (node) => queue.add(nameOf(node)),
    update: (_, node) => queue.add(nameOf(node)),
  });
  agents.onChange({ add: enqueue, update: (_, pod) => enqueue(pod) });
  await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
  nodes.stop();
  agents.stop();
  await queue.stop();
}
