/** What an API server serves, as far as the manifests depend on it. */

export interface ClusterFacts {
  /** `major.minor` as a number of minors: 1.22 is 22. */
  readonly minorVersion: number;
  /** `group/version` of all APIs that are served, such as `policy/v1`. */
  readonly served: ReadonlySet<string>;
}

/** Of Kubernetes 1.23 and newer: what `manifest generate` assumes. */
export const CURRENT_CLUSTER: ClusterFacts = {
  minorVersion: 35,
  served: new Set(["autoscaling/v2", "discovery.k8s.io/v1", "policy/v1"]),
};

/** The first whose maxSurge of a DaemonSet is not dropped, and the fields that replace it. */
export const DAEMON_SET_SURGE_MINOR = 22;
