/** Which workloads a cluster consists of, from the mesh's own knowledge: no second list of endpoints travels. */

import {
  type Ip,
  type MeshSnapshot,
  resolveTargetPort,
  type Service,
  serviceKey,
  type Workload,
} from "@meltemi/model";
import type { Cluster } from "@meltemi/model/l7";

export type Labels = Readonly<Record<string, string>>;

export interface ClusterEndpoint {
  readonly uid: string;
  readonly workload: Workload;
  /** Empty for a workload that is reached by a host name. */
  readonly ip: Ip | undefined;
  readonly port: number;
  readonly labels: Labels;
}

export interface ClusterMembers {
  /** Undefined: the service is not known (yet). */
  readonly service: Service | undefined;
  readonly endpoints: readonly ClusterEndpoint[];
}

/** In the order of uids, so that two replicas of a waypoint lay the same rings. */
export function clusterMembers(
  snapshot: MeshSnapshot,
  cluster: Pick<Cluster, "service" | "port">,
  labelsOf: (uid: string) => Labels,
): ClusterMembers {
  const key = serviceKey(cluster.service);
  const service = snapshot.services.get(key);
  const endpoints: ClusterEndpoint[] = [];
  if (service === undefined) return { service, endpoints };
  snapshot.endpoints.get(key)?.forEach((workload) => {
    const port = resolveTargetPort(service, workload, cluster.port, "standard");
    const [ip] = workload.addresses;
    if (port === undefined || (ip === undefined && workload.hostname === "")) return;
    endpoints.push({ uid: workload.uid, workload, ip, port, labels: labelsOf(workload.uid) });
  });
  endpoints.sort((a, b) => (a.uid < b.uid ? -1 : 1));
  return { service, endpoints };
}
