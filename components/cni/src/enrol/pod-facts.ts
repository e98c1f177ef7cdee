/** What the agent reads of a pod, taken out of the API object once. Pure. */

import type { Namespace, Pod } from "@meltemi/kubernetes";
import type { PodFacts } from "./decide-enrolment.ts";

export const REDIRECTION = "ambient.istio.io/redirection";

export interface PodIdentity {
  readonly uid: string;
  readonly name: string;
  readonly namespace: string;
  readonly serviceAccount: string;
}

export function identityOf(pod: Pod): PodIdentity {
  return {
    uid: pod.metadata?.uid ?? "",
    name: pod.metadata?.name ?? "",
    namespace: pod.metadata?.namespace ?? "",
    serviceAccount: pod.spec?.serviceAccountName ?? "default",
  };
}

export function factsOf(pod: Pod, namespace: Namespace | undefined): PodFacts {
  const phase = pod.status?.phase;
  return {
    namespace: pod.metadata?.namespace ?? "",
    hostNetwork: pod.spec?.hostNetwork === true,
    labels: pod.metadata?.labels ?? {},
    annotations: pod.metadata?.annotations ?? {},
    namespaceLabels: namespace?.metadata?.labels ?? {},
    runtimeClass: pod.spec?.runtimeClassName,
    finished: phase === "Succeeded" || phase === "Failed",
  };
}

/** `podIPs`, or while that is empty `podIP`; without IPv6 ones when the mesh does not serve them. */
export function addressesOf(pod: Pod, ipv6: boolean): readonly string[] {
  const many = (pod.status?.podIPs ?? []).flatMap(({ ip }) => (ip === undefined || ip === "" ? [] : [ip]));
  const single = pod.status?.podIP;
  const all = many.length > 0 || single === undefined || single === "" ? many : [single];
  return all.filter((ip) => ipv6 || !ip.includes(":"));
}

export function redirectionOf(pod: Pod): string | undefined {
  return pod.metadata?.annotations?.[REDIRECTION];
}
