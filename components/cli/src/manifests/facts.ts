/** What an API server serves, as far as the manifests depend on it. */

export interface ClusterFacts {
  /** `major.minor` as a number of minors: 1.22 is 22. */
  readonly minorVersion: number;
  /** `group/version` of all APIs that are served, such as `policy/v1`. */
  readonly served: ReadonlySet<string>;
}

/** The minor version of Kubernetes 1 that serves an API first, of those that the manifests depend on. */
const SERVED_SINCE: Readonly<Record<string, number>> = { "autoscaling/v2": 23, "policy/v1": 21 };

/** Of a server of Kubernetes 1.`minor`. */
export function factsOfMinor(minorVersion: number): ClusterFacts {
  const served = Object.entries(SERVED_SINCE).filter(([, since]) => minorVersion >= since);
  return { minorVersion, served: new Set(served.map(([api]) => api)) };
}

/** What `manifest generate` assumes. */
export const CURRENT_CLUSTER: ClusterFacts = factsOfMinor(35);

/** The first that knows rules in definitions (x-kubernetes-validations); others refuse the field, or drop it. */
export const DEFINITION_RULES_MINOR = 23;

/** The first whose maxSurge of a DaemonSet is not dropped, and the fields that replace it. */
export const DAEMON_SET_SURGE_MINOR = 22;
