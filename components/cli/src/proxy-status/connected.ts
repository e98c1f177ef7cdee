/** Who is connected to the control planes of a mesh. */

import { nameOf, PODS, type Pod } from "@meltemi/kubernetes";
import { podText } from "../reach/find-pods.ts";
import { findIstiods, readDebugPage } from "../reach/istiod.ts";
import type { MeshCluster } from "../reach/mesh-cluster.ts";
import { type ProxySync, readSyncStatus } from "./sync-status.ts";

/** Of every replica, of one revision or of all. Throws NOT_FOUND without any. */
export async function connectedProxies(
  cluster: MeshCluster,
  istioNamespace: string,
  revision?: string,
): Promise<readonly ProxySync[]> {
  const istiods = await findIstiods(cluster, istioNamespace, revision);
  const answers = await Promise.all(
    istiods.map(async (pod) =>
      readSyncStatus(await readDebugPage(cluster, pod, "/debug/syncz"), nameOf(pod)),
    ),
  );
  return answers.flat();
}

/** `<pod>.<namespace>`; without pods that are on their way out, which stay connected until their connections have ended. */
export async function connectedNames(
  cluster: MeshCluster,
  istioNamespace: string,
  revision: string,
): Promise<readonly string[]> {
  const proxies = await connectedProxies(cluster, istioNamespace, revision);
  if (proxies.length === 0) return [];
  const { items } = await cluster.client.list(PODS, { signal: cluster.signal });
  return stayingNames(
    proxies.map(({ name }) => name),
    items,
  );
}

/** A name without a pod stays in: a proxy may be outside the cluster. Pure. */
export function stayingNames(names: readonly string[], pods: readonly Pod[]): readonly string[] {
  const leaving = new Set(
    pods.filter(({ metadata }) => metadata?.deletionTimestamp !== undefined).map(podText),
  );
  return names.filter((name) => !leaving.has(name));
}
