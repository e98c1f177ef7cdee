/** The pods as {@link decideIssue} looks at them, over an informer that the control plane has anyway. */

import { type IndexFunction, type Informer, namespaceOf, type Pod } from "@meltemi/kubernetes";
import type { ClusterView, PodFacts } from "./decide-issue.ts";

const INDEX = "certificate-subject";

/** Indexes that the pods' informer must have: `createInformer(client, PODS, { indexes: { ...CERTIFICATE_POD_INDEXES } }, deps)`. */
export const CERTIFICATE_POD_INDEXES: Readonly<Record<string, IndexFunction<Pod>>> = {
  [INDEX]: (pod) => [subjectKey(pod.spec?.nodeName ?? "", namespaceOf(pod), accountOf(pod))],
};

export function createPodView(pods: Pick<Informer<Pod>, "get" | "byIndex" | "hasSynced">): ClusterView {
  return {
    get complete() {
      return pods.hasSynced;
    },
    pod(namespace, name) {
      const pod = pods.get(`${namespace}/${name}`);
      return pod === undefined ? undefined : factsOf(pod);
    },
    podsOn: (node, { namespace, serviceAccount }) =>
      pods.byIndex(INDEX, subjectKey(node, namespace, serviceAccount)).map(factsOf),
  };
}

function factsOf(pod: Pod): PodFacts {
  const phase = pod.status?.phase;
  return {
    uid: pod.metadata?.uid ?? "",
    serviceAccount: accountOf(pod),
    node: pod.spec?.nodeName ?? "",
    ended: phase === "Failed" || phase === "Succeeded",
  };
}

/** The API server fills it in on creation; a pod without one is from before that, and runs as `default`. */
function accountOf(pod: Pod): string {
  return pod.spec?.serviceAccountName ?? "default";
}

/** No part may hold a slash: all three are DNS names. */
function subjectKey(node: string, namespace: string, serviceAccount: string): string {
  return `${node}/${namespace}/${serviceAccount}`;
}
