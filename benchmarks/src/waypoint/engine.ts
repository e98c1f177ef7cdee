/** Our L7 engine as a program of its own, on plain TCP like the peers. */

import { type RunningProxy, type Site, startProxy } from "./proxies.ts";
import { type FEW_ROUTES, MANY_ROUTES } from "./traffic.ts";

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
    command: [process.execPath, program, String(firstPort), String(routes)],
    routes,
    entries: ["http1", "http2", "http2Both"],
    firstPort,
  });
}
