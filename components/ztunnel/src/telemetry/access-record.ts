/** How a workload is named in the access log: the pod's own name where metrics take its owner's. */

import type { Workload } from "@meltemi/model";
import type { AccessLogPeer } from "@meltemi/telemetry";

export function accessLogPeer(workload: Workload | undefined): Omit<AccessLogPeer, "address" | "identity"> {
  if (workload === undefined) return {};
  return {
    workload: workload.name || workload.canonicalName || undefined,
    namespace: workload.namespace || undefined,
    cluster: workload.clusterId || undefined,
  };
}
