/** How this waypoint presents itself to the control plane (reference: protocol §12). */

import type { XdsNode } from "@meltemi/xds";
import type { WaypointConfig } from "../config.ts";

export function xdsNode({ pod, place, clusterDomain, metadata }: WaypointConfig): XdsNode {
  return {
    id: `waypoint~${place.ip}~${pod.name}.${pod.namespace}~${pod.namespace}.svc.${clusterDomain}`,
    metadata: {
      ...(metadata as XdsNode["metadata"]),
      NAME: pod.name,
      NAMESPACE: pod.namespace,
      SERVICE_ACCOUNT: pod.serviceAccount,
      INSTANCE_IPS: place.ip,
      NODE_NAME: place.node,
      CLUSTER_ID: place.clusterId,
    },
  };
}
