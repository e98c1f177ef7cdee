import type { TrafficSettings } from "./l7/traffic-settings.ts";

/** Mesh-wide values that compilation depends on; they do not change while the process runs. */
export interface CompileSettings {
  /** First part of every workload uid. */
  readonly clusterId: string;
  readonly trustDomain: string;
  /** Policies of this namespace without a selector hold for the whole mesh; its network label names the cluster's network. */
  readonly rootNamespace: string;
  /** `cluster.local`: `<service>.<namespace>.svc.<domain>`. */
  readonly clusterDomain: string;
  /** `AMBIENT_ENABLE_DRY_RUN_AUTHORIZATION_POLICY`. */
  readonly dryRunPolicies: boolean;
  /** What the mesh configuration says about requests. */
  readonly traffic: TrafficSettings;
}
