/** Which proxy is asked. */

import { nameOf, namespaceOf, type Pod } from "@meltemi/kubernetes";
import { MeshError } from "@meltemi/runtime";
import { findPods, type Lookup } from "../reach/find-pods.ts";
import { parseTarget } from "../reach/target.ts";

const GATEWAY_LABEL = "gateway.networking.k8s.io/gateway-name";

/** Throws INPUT_INVALID for a pod that has no such configuration, and says who has. */
export async function findWaypoint(text: string, namespace: string, lookup: Lookup): Promise<Pod> {
  const [pod] = await findPods(parseTarget(text, namespace), lookup);
  if (pod === undefined) throw new MeshError("NOT_FOUND", `${text}: no running pod`);
  const labels = pod.metadata?.labels ?? {};
  const name = `${namespaceOf(pod)}/${nameOf(pod)}`;
  if (labels["app"] === "ztunnel")
    throw new MeshError(
      "INPUT_INVALID",
      `pod ${name} is a ztunnel, which has no clusters, listeners and routes: see istioctl ztunnel-config`,
    );
  if (labels[GATEWAY_LABEL] === undefined)
    throw new MeshError(
      "INPUT_INVALID",
      `pod ${name} is no waypoint: pods in ambient mode have no proxy of their own. ` +
        "Their node's ztunnel: istioctl ztunnel-config; their waypoint: istioctl waypoint list, then proxy-config deploy/<waypoint>",
    );
  return pod;
}
