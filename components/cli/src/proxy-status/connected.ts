/** Who is connected to the control planes of a mesh. */

import { nameOf } from "@meltemi/kubernetes";
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

/** `<pod>.<namespace>` */
export async function connectedNames(
  cluster: MeshCluster,
  istioNamespace: string,
  revision: string,
): Promise<readonly string[]> {
  return (await connectedProxies(cluster, istioNamespace, revision)).map(({ name }) => name);
}
