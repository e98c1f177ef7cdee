/** Whether an agent that is told to stop comes back: a restart or an upgrade leaves everything in place, an uninstall cleans up. */

import { DAEMON_SETS, type KubernetesClient, PODS } from "@meltemi/kubernetes";

export interface OwnPod {
  readonly name: string;
  readonly namespace: string;
}

/**
 * True when the DaemonSet that owns this pod is gone or going. Unknown (no such right, no API server) counts as staying: pods that start
 * meanwhile are refused and tried again, never let through.
 */
export async function isUninstalled(
  client: Pick<KubernetesClient, "get">,
  own: OwnPod,
  timeoutMs: number,
): Promise<boolean> {
  try {
    const pod = await client.get(PODS, own, { timeoutMs });
    const owner = pod?.metadata?.ownerReferences?.find((one) => one.kind === "DaemonSet");
    if (owner === undefined) return pod === undefined;
    const set = await client.get(DAEMON_SETS, { name: owner.name, namespace: own.namespace }, { timeoutMs });
    return set === undefined || set.metadata?.deletionTimestamp !== undefined;
  } catch {
    return false;
  }
}
