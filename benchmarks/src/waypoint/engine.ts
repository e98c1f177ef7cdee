/** Our side as programs: the L7 engine on plain TCP like the peers, and a whole waypoint with tunnels in and out. */

import { writeFileSync } from "node:fs";
import { startWorker, stopProgram } from "../l4/place-process.ts";
import { type NodeProxiesStarted, WAYPOINT_HBONE_PORT } from "./hbone-messages.ts";
import { LOAD_CORE, type RunningProxy, type Site, startProxy } from "./proxies.ts";
import { FEW_ROUTES, MANY_ROUTES } from "./traffic.ts";

const START = new URL("./start.mjs", import.meta.url).pathname;

const FIRST_PORT = 8400;
const FIRST_PORT_WITH_MANY_ROUTES = 8500;

export function startEngine(
  site: Site,
  routes: typeof FEW_ROUTES | typeof MANY_ROUTES,
): Promise<RunningProxy> {
  const firstPort = routes === MANY_ROUTES ? FIRST_PORT_WITH_MANY_ROUTES : FIRST_PORT;
  const program = new URL("./engine.worker.ts", import.meta.url).pathname;
  return startProxy(site, {
    name: `engine-${routes}`,
    command: [process.execPath, START, program, String(firstPort), String(routes)],
    routes,
    entries: ["http1", "http2", "http2Both"],
    firstPort,
  });
}

const FIRST_ENTRY_PORT = 8700;

/** Its entries are those of the node proxies beside it; its process is the waypoint alone. */
export async function startWaypointInMesh(site: Site): Promise<RunningProxy> {
  const { child, first } = await startWorker<NodeProxiesStarted>(
    site.place,
    new URL("./node-proxies.worker.ts", import.meta.url),
    [String(FIRST_ENTRY_PORT)],
    LOAD_CORE,
  );
  const credentialsPath = `${site.folder}/waypoint.json`;
  writeFileSync(credentialsPath, JSON.stringify(first.waypoint), { mode: 0o600 });
  const program = new URL("./waypoint.worker.ts", import.meta.url).pathname;
  const waypoint = await startProxy(site, {
    name: "waypoint",
    command: [process.execPath, START, program, credentialsPath, String(FEW_ROUTES)],
    routes: FEW_ROUTES,
    entries: ["http1", "http2", "http2Both"],
    firstPort: FIRST_ENTRY_PORT,
    ownPorts: [WAYPOINT_HBONE_PORT],
  }).catch(async (error) => {
    await stopProgram(child);
    throw error;
  });
  return {
    ...waypoint,
    async [Symbol.asyncDispose]() {
      await waypoint[Symbol.asyncDispose]();
      await stopProgram(child);
    },
  };
}
