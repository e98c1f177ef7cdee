/** Traffic that is addressed to workloads: the waypoint's own policies, and the workload itself as the only destination. */

import { LiveCluster, type PortSite } from "@meltemi/l7";
import { newCluster, type WaypointSettings } from "@meltemi/model/l7";
import { commonParts, type SiteDeps } from "./served-site.ts";

/** What was dialled is where it goes; the name is Istio's. */
const DIRECT = newCluster({
  name: "direct-http",
  service: { namespace: "", hostname: "" },
  port: 0,
  loadBalancer: { kind: "passthrough" },
});

export interface WorkloadSite {
  readonly settings: WaypointSettings;
  readonly cluster: LiveCluster;
  readonly port: PortSite;
}

/** Ports of pods are declared nowhere that a waypoint would hear of: their bytes are looked at. */
export function buildWorkloadSite(
  settings: WaypointSettings,
  settingsClusters: ReadonlyMap<string, LiveCluster>,
  previous: WorkloadSite | undefined,
  deps: SiteDeps,
): WorkloadSite {
  const cluster = previous?.cluster ?? new LiveCluster(DIRECT, deps.clusters);
  const { filters, connections, telemetry } = commonParts(settings, settings, settingsClusters, deps);
  const { defaultRetry, pathNormalization, forwardClientIdentity } = settings;
  const common = { service: undefined, defaultCluster: cluster, cluster: () => undefined };
  return {
    settings,
    cluster,
    port: {
      protocol: "sniff",
      http: {
        ...common,
        filters,
        routes: undefined,
        defaultRetry,
        pathNormalization,
        forwardClientIdentity,
        observer: telemetry.requests,
        tracer: telemetry.tracer,
      },
      tcp: {
        ...common,
        routes: { routes: [], asksForServerName: false },
        ...connections,
        observer: telemetry.connections,
      },
    },
  };
}
