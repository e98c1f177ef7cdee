/** The control plane's debug pages, which it serves to its own pod only. */

import { keyOf, PODS, type Pod } from "@meltemi/kubernetes";
import { MeshError } from "@meltemi/runtime";
import { podsWith } from "./find-pods.ts";
import type { MeshCluster } from "./mesh-cluster.ts";

/** Of istiod's HTTP server. */
export const ISTIOD_HTTP_PORT = 8080;
const ISTIOD_SELECTOR = "app=istiod";

/** Every replica, of one revision or of all; each knows only its own clients. Throws NOT_FOUND without any. */
export async function findIstiods(
  cluster: MeshCluster,
  istioNamespace: string,
  revision?: string,
): Promise<readonly Pod[]> {
  const labelSelector =
    revision === undefined ? ISTIOD_SELECTOR : `${ISTIOD_SELECTOR},istio.io/rev=${revision}`;
  const pods = await podsWith({ namespace: istioNamespace, labelSelector }, cluster);
  if (pods.length > 0) return pods;
  const elsewhere = await cluster.client.list(PODS, { labelSelector, signal: cluster.signal });
  const other = elsewhere.items[0]?.metadata?.namespace;
  const hint = other === undefined ? "" : `; there is one in ${other}: use -i ${other}`;
  throw new MeshError("NOT_FOUND", `no running Istio pods in namespace ${istioNamespace}${hint}`);
}

/** Parsed JSON of a debug page, such as `/debug/syncz`. */
export async function readDebugPage(cluster: MeshCluster, istiod: Pod, path: string): Promise<unknown> {
  const what = `GET ${path} of pod ${keyOf(istiod)}`;
  const { status, body } = await cluster.request(istiod, ISTIOD_HTTP_PORT, { method: "GET", path });
  if (status !== 200)
    throw new MeshError("PEER_REFUSED", `${what}: HTTP ${status} ${body.slice(0, 200).trim()}`);
  try {
    return JSON.parse(body);
  } catch (cause) {
    throw new MeshError("PROTOCOL_VIOLATION", `${what}: expected JSON`, { cause });
  }
}
