/** Copies of what the agent follows on the API: the pods of its node, and all namespaces. */

import {
  createInformer,
  type Informer,
  type KubernetesClient,
  NAMESPACES,
  type Namespace,
  PODS,
  type Pod,
} from "@meltemi/kubernetes";
import type { Clock, Logger } from "@meltemi/runtime";

export interface Informers {
  readonly podInformer: Informer<Pod>;
  readonly namespaces: Informer<Namespace>;
  readonly synced: Promise<void>;
  stop(): void;
}

export const BY_UID = "uid";
export const BY_NAMESPACE = "namespace";

export function startInformers(
  client: Pick<KubernetesClient, "list" | "watch">,
  nodeName: string,
  deps: { readonly clock: Clock; readonly random: () => number; readonly log: Logger },
): Informers {
  const podInformer = createInformer(
    client,
    PODS,
    {
      fieldSelector: `spec.nodeName=${nodeName}`,
      indexes: {
        [BY_UID]: (pod) => [pod.metadata?.uid ?? ""],
        [BY_NAMESPACE]: (pod) => [pod.metadata?.namespace ?? ""],
      },
    },
    deps,
  );
  const namespaces = createInformer(client, NAMESPACES, {}, deps);
  return {
    podInformer,
    namespaces,
    synced: Promise.all([podInformer.synced, namespaces.synced]).then(() => undefined),
    stop() {
      podInformer.stop();
      namespaces.stop();
    },
  };
}
