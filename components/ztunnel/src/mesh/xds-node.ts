/** How this proxy presents itself to the control plane (reference: protocol §3.1). */

import type { XdsNode } from "@meltemi/xds";
import type { ZtunnelConfig } from "../config.ts";

export function xdsNode(config: ZtunnelConfig): XdsNode {
  const { podName, podNamespace, instanceIp, nodeName } = config.node;
  return {
    // The domain is fixed in Istio, whatever the cluster's is.
    id: `ztunnel~${instanceIp}~${podName}.${podNamespace}~${podNamespace}.svc.cluster.local`,
    metadata: {
      ...(config.metadata as XdsNode["metadata"]),
      NAME: podName,
      NAMESPACE: podNamespace,
      INSTANCE_IPS: instanceIp,
      NODE_NAME: nodeName,
    },
  };
}
