/** Saved dumps in place of a cluster: which proxy each is of is read from it. */

import type { Workload } from "@meltemi/model";
import { readDump } from "@meltemi/model/dump";
import { describeError, MeshError } from "@meltemi/runtime";
import { isJson, type Json, jsonAt, textAt } from "../output/json.ts";
import type { ExplainDeps } from "./explain.ts";
import type { ServerZtunnel } from "./server-hop.ts";
import { readWaypointView } from "./waypoint-view.ts";

interface ZtunnelFile extends ServerZtunnel {
  /** Undefined: it serves no pod, so that nobody can say. */
  readonly node: string | undefined;
}

export type DumpedProxies = Pick<ExplainDeps, "serverZtunnel" | "waypoint"> & {
  /** Of a client's node, or the first one. */
  ztunnelOf(workloadName: string): ServerZtunnel;
};

/** Throws INPUT_INVALID when no ztunnel is among them. */
export function proxiesFromDumps(dumps: readonly Json[]): DumpedProxies {
  const ztunnels = dumps.filter((dump) => !Object.hasOwn(dump, "servedServices")).map(readZtunnel);
  const waypoints = dumps.filter((dump) => Object.hasOwn(dump, "servedServices"));
  const [first] = ztunnels;
  if (first === undefined)
    throw new MeshError("INPUT_INVALID", "expected the dump of the client's ztunnel among the files");
  return {
    ztunnelOf: (key) => {
      const node = first.snapshot.workloadsByName.get(key)?.[0]?.node;
      return ztunnels.find((one) => one.node === node) ?? first;
    },
    serverZtunnel: async (node) => ztunnels.find((one) => one.node === node),
    waypoint: async (workload) => waypointAmong(waypoints, workload),
  };
}

function readZtunnel(dump: Json, index: number): ZtunnelFile {
  const { snapshot } = readDump(dump);
  const pods = Object.values(jsonAt(dump, "workloadState") ?? {}).flatMap((state) =>
    isJson(state) ? [jsonAt(state, "info")] : [],
  );
  const nodes = pods.map(
    (info) => snapshot.workloadsByName.get(`${textAt(info, "namespace")}/${textAt(info, "name")}`)?.[0]?.node,
  );
  const node = nodes.find((one) => one !== undefined && one !== "");
  return { name: `ztunnel of ${node ?? `file ${index + 1}`}`, snapshot, node };
}

function waypointAmong(
  dumps: readonly Json[],
  workload: Workload,
): ReturnType<typeof readWaypointView> | string {
  const named = dumps.find((dump) => {
    const pod = jsonAt(jsonAt(dump, "config"), "pod");
    return textAt(pod, "name") === workload.name && textAt(pod, "namespace") === workload.namespace;
  });
  const dump = named ?? (dumps.length === 1 ? dumps[0] : undefined);
  if (dump === undefined) return `no dump of ${workload.namespace}/${workload.name} is among the files`;
  try {
    return readWaypointView(dump);
  } catch (error) {
    return describeError(error);
  }
}
