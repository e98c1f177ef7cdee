/** The pods of a workload, as its selector finds them. */

import {
  type DaemonSet,
  type Deployment,
  formatRequirements,
  type KubernetesClient,
  PODS,
  type Pod,
  requirementsOf,
} from "@meltemi/kubernetes";

/** None for a workload whose selector cannot be read. */
export async function podsOf(
  workload: DaemonSet | Deployment,
  client: KubernetesClient,
  signal: AbortSignal,
): Promise<readonly Pod[]> {
  const selector = requirementsOf(workload.spec?.selector ?? {});
  // An empty selector would find every pod of the namespace.
  if (selector.kind !== "ok" || selector.requirements.length === 0) return [];
  const { items } = await client.list(PODS, {
    namespace: workload.metadata?.namespace,
    labelSelector: formatRequirements(selector.requirements),
    signal,
  });
  return items;
}
