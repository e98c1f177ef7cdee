/** How a workload is named in the access log: the pod's own name where metrics take its owner's. */

import type { Baggage } from "@meltemi/hbone";
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

/** A workload that only its own words describe. */
export function describedPeer(baggage: Baggage): Omit<AccessLogPeer, "address" | "identity"> {
  return { workload: baggage.workloadName, namespace: baggage.namespace, cluster: baggage.cluster };
}
