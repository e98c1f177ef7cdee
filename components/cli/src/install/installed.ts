/** What runs of the mesh in a cluster: control planes and proxies, with their versions. */

import { DEPLOYMENTS, type KubernetesClient, nameOf, namespaceOf, PODS, type Pod } from "@meltemi/kubernetes";
import { versionOf } from "./image-version.ts";

export interface InstalledControlPlane {
  readonly name: string;
  readonly namespace: string;
  /** `default` for the one without. */
  readonly revision: string;
  readonly version: string;
}

interface Asking {
  readonly client: KubernetesClient;
  readonly signal: AbortSignal;
}

export async function findControlPlanes({
  client,
  signal,
}: Asking): Promise<readonly InstalledControlPlane[]> {
  const { items } = await client.list(DEPLOYMENTS, { labelSelector: "app=istiod", signal });
  return items.map((deployment) => ({
    name: nameOf(deployment),
    namespace: namespaceOf(deployment),
    revision: deployment.metadata?.labels?.["istio.io/rev"] ?? "default",
    version: versionOf(deployment.spec?.template ?? {}),
  }));
}

/** ztunnels and waypoints that run. */
export async function findProxyVersions({ client, signal }: Asking): Promise<readonly string[]> {
  const pods = await Promise.all(
    ["app=ztunnel", "gateway.networking.k8s.io/gateway-name"].map(
      async (labelSelector) => (await client.list(PODS, { labelSelector, signal })).items,
    ),
  );
  return pods.flat().filter(isRunning).map(versionOf);
}

function isRunning({ status, metadata }: Pod): boolean {
  return status?.phase === "Running" && metadata?.deletionTimestamp === undefined;
}
