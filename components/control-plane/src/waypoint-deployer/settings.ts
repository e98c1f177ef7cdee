/** What every waypoint of this control plane has in common: from its environment, which install renders. */

import { type EnvironmentReader, MeshError } from "@meltemi/runtime";
import { isTree, type Tree } from "./strategic-merge.ts";

export interface DeployerSettings {
  /** Undefined: nothing is deployed, for nobody said what. */
  readonly image: string | undefined;
  readonly revision: string;
  /** Where the control plane and the ConfigMaps of class defaults are. */
  readonly systemNamespace: string;
  readonly clusterDomain: string;
  readonly clusterId: string;
  readonly trustDomain: string;
  /** Default of label `topology.istio.io/network`; empty for none. */
  readonly network: string;
  /** `host:port` of the control plane and its CA. */
  readonly controlPlaneAddress: string;
  readonly logLevel: string;
  readonly logAsJson: boolean;
  /** `global.waypoint`: resources, affinity, topologySpreadConstraints, nodeSelector, tolerations. */
  readonly pod: PodDefaults;
  /** Without an annotation that says otherwise, Gateways get more than one replica. */
  readonly highAvailability: boolean;
  /** Revocation lists are published, and mounted. */
  readonly revocationLists: boolean;
}

export interface PodDefaults {
  readonly resources: Tree;
  /** Fields of the pod's spec. */
  readonly placement: Tree;
}

const PLACEMENT = ["affinity", "topologySpreadConstraints", "nodeSelector", "tolerations"] as const;

/** l7-and-cli §1.7. */
const DEFAULT_RESOURCES: Tree = {
  requests: { cpu: "100m", memory: "128Mi" },
  limits: { cpu: "2", memory: "1Gi" },
};

/** Variable `WAYPOINT_POD`: JSON of Istio's `global.waypoint`. What is not such JSON is a problem of the environment. */
export function readPodDefaults(env: EnvironmentReader): PodDefaults {
  const text = env.text("WAYPOINT_POD", "{}");
  try {
    return parsePodDefaults(text);
  } catch (error) {
    env.problems.push(`WAYPOINT_POD: ${(error as Error).message}`);
    return { resources: DEFAULT_RESOURCES, placement: {} };
  }
}

function parsePodDefaults(text: string): PodDefaults {
  const value: unknown = JSON.parse(text);
  if (!isTree(value)) throw new MeshError("CONFIG_INVALID", "expected a JSON object");
  const { resources = DEFAULT_RESOURCES, ...placement } = value;
  if (!isTree(resources)) throw new MeshError("CONFIG_INVALID", "resources: expected an object");
  const known: readonly string[] = PLACEMENT;
  for (const key of Object.keys(placement))
    if (!known.includes(key))
      throw new MeshError("CONFIG_INVALID", `${key}: expected one of resources, ${PLACEMENT.join(", ")}`);
  return { resources, placement };
}
