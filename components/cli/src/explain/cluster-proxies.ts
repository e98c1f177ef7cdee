/** The proxies of a cluster, each asked at most once. */

import { nameOf, PODS, type Pod } from "@meltemi/kubernetes";
import type { Workload } from "@meltemi/model";
import { readDump } from "@meltemi/model/dump";
import { describeError } from "@meltemi/runtime";
import { podText } from "../reach/find-pods.ts";
import type { MeshCluster } from "../reach/mesh-cluster.ts";
import { allZtunnels } from "../ztunnel-config/find-ztunnel.ts";
import type { ExplainDeps } from "./explain.ts";
import type { AskedZtunnel, ServerZtunnel } from "./server-hop.ts";
import { readWaypointView, type WaypointView } from "./waypoint-view.ts";

export interface ProxyQuestion {
  readonly istioNamespace: string;
  readonly proxyAdminPort: number;
}

export async function proxiesOfCluster(
  cluster: MeshCluster,
  { istioNamespace, proxyAdminPort }: ProxyQuestion,
): Promise<Pick<ExplainDeps, "serverZtunnel" | "waypoint">> {
  const pods = await allZtunnels(istioNamespace, cluster);
  const ztunnels = new Map<string, Promise<AskedZtunnel>>();
  const ask = async (pod: Pod): Promise<ServerZtunnel> => ({
    name: podText(pod),
    snapshot: readDump(await cluster.dump(pod, proxyAdminPort)).snapshot,
  });
  return {
    serverZtunnel(node) {
      const pod = pods.find(({ spec }) => spec?.nodeName === node);
      if (pod === undefined) return Promise.resolve("none");
      const asked = ztunnels.get(node) ?? ask(pod).catch(() => "silent" as const);
      ztunnels.set(node, asked);
      return asked;
    },
    waypoint: (workload) => askWaypoint(workload, cluster, proxyAdminPort),
  };
}

async function askWaypoint(
  { name, namespace }: Workload,
  cluster: MeshCluster,
  port: number,
): Promise<WaypointView | string> {
  try {
    const pod = await cluster.client.get(PODS, { name, namespace }, cluster);
    if (pod === undefined) return `pod ${namespace}/${name} is gone`;
    return { ...readWaypointView(await cluster.dump(pod, port)), name: `${nameOf(pod)}.${namespace}` };
  } catch (error) {
    cluster.signal.throwIfAborted();
    return describeError(error);
  }
}
