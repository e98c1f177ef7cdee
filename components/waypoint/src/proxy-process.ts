/** The waypoint as a process: its configuration, and its parts from the real world. */

import { randomUUID } from "node:crypto";
import {
  createProxyCertificates,
  type ProcessParts,
  readText,
  rootsOf,
  runProxy,
  xdsClientParts,
} from "@meltemi/proxy-process";
import type { Environment } from "@meltemi/runtime";
import { createWaypointXdsClient } from "@meltemi/xds";
import { readConfig, type WaypointConfig } from "./config.ts";
import type { WaypointDeps } from "./parts.ts";
import { startWaypoint } from "./waypoint.ts";
import { xdsNode } from "./world/xds-node.ts";

/** Exit code: 0 after a drain, 1 when it fails, 2 on bad configuration. `onStarted` is called once its admin ports are open. */
export function runProxyProcess(
  words: readonly string[],
  env: Environment,
  onStarted: () => void,
): Promise<number> {
  return runProxy(
    {
      component: "waypoint",
      readConfig: () => readConfig(words, env),
      start: (config, parts) => startWaypoint(config, makeDeps(config, parts)),
    },
    onStarted,
  );
}

function makeDeps(config: WaypointConfig, parts: ProcessParts): WaypointDeps {
  const caRoots = rootsOf(config.ca);
  const { clusterId } = config.place;
  const { options, deps } = xdsClientParts(
    { ...config, clusterId, node: xdsNode(config) },
    config.xds.address ?? "",
    parts,
  );
  return {
    ...parts,
    requestId: randomUUID,
    certificates: createProxyCertificates({ ...config, clusterId, impersonate: false }, parts),
    caRoots: caRoots && (() => readText(caRoots)),
    controlPlane: (onUpdate) => createWaypointXdsClient(options, { ...deps, onUpdate }),
  };
}
