/** One namespace with the applications, the load generators, and every proxy that this machine has. */

import { createNetnsLab, createTemporaryFolder, type LabNode } from "@meltemi/testkit";
import { cpuSeconds, nextMessage, startWorker, stopProgram } from "../l4/place-process.ts";
import { startEngine, startWaypointInMesh } from "./engine.ts";
import { findEnvoy, startEnvoy } from "./envoy.ts";
import { startHaproxy } from "./haproxy.ts";
import { type Load, type LoadReply, type LoadTarget, spokenBy } from "./messages.ts";
import { startNginx } from "./nginx.ts";
import { LOAD_CORE, type RunningProxy } from "./proxies.ts";
import { APPLICATION_PORTS, type Entry, FEW_ROUTES, MANY_ROUTES } from "./traffic.ts";

export const PATH_NAMES = {
  direct: "direct, no proxy",
  nginx: "nginx",
  haproxy: "HAProxy",
  envoy: "Envoy",
  ours: "ours",
  manyRoutes: "ours, 10 000 routes",
  waypoint: "whole waypoint",
} as const;
export type PathName = keyof typeof PATH_NAMES;

export interface Measured extends LoadReply {
  readonly proxyCpuSeconds: number;
}

/** One way from the load generator to the application. */
export interface Path {
  readonly name: PathName;
  /** Undefined: no proxy. */
  readonly proxy: RunningProxy | undefined;
  takes(entry: Entry): boolean;
  measure(entry: Entry, load: Load): Promise<Measured>;
}

export interface Scene extends AsyncDisposable {
  readonly node: LabNode;
  readonly paths: readonly Path[];
}

/** `progress` hears which peers are not there. */
export async function createScene(
  environment: NodeJS.ProcessEnv,
  progress: (text: string) => void,
): Promise<Scene> {
  await using stack = new AsyncDisposableStack();
  const folder = stack.use(await createTemporaryFolder("bench-waypoint"));
  const lab = stack.use(await createNetnsLab("mtbwp"));
  const node = await lab.node("node");
  const site = { place: node, folder: folder.path };
  const load = await startLoad(node, stack);
  const paths = [pathTo(load, "direct", undefined)];
  const add = async (name: PathName, starting: Promise<RunningProxy>): Promise<void> => {
    paths.push(pathTo(load, name, stack.use(await starting)));
  };
  await add("nginx", startNginx(site));
  await add("haproxy", startHaproxy(site));
  const envoy = findEnvoy(environment);
  if (envoy === undefined) progress("no envoy on PATH and no ENVOY_BINARY: without that peer");
  else await add("envoy", startEnvoy(site, envoy));
  await add("ours", startEngine(site, FEW_ROUTES));
  await add("manyRoutes", startEngine(site, MANY_ROUTES));
  await add("waypoint", startWaypointInMesh(site));
  const owned = stack.move();
  return { node, paths, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

type Ask = (target: LoadTarget, load: Load) => Promise<LoadReply>;

async function startLoad(node: LabNode, stack: AsyncDisposableStack): Promise<Ask> {
  const start = async (program: string) => {
    const { child } = await startWorker(node, new URL(program, import.meta.url), [], LOAD_CORE);
    stack.defer(() => stopProgram(child));
    return child;
  };
  await start("./application.worker.ts");
  await start("./application-http2.worker.ts");
  const generator = await start("./load.worker.ts");
  return async (target, load) => {
    generator.send({ target, ...load });
    const reply = await nextMessage<LoadReply>(generator);
    if (reply.fault !== undefined) process.stderr.write(`load generator: ${reply.fault}\n`);
    return reply;
  };
}

function pathTo(ask: Ask, name: PathName, proxy: RunningProxy | undefined): Path {
  const directPort = (entry: Entry): number =>
    entry === "http1" ? APPLICATION_PORTS.v1 : APPLICATION_PORTS.v1Http2;
  return {
    name,
    proxy,
    takes: (entry) => (proxy === undefined ? entry !== "http2" : proxy.entries.includes(entry)),
    async measure(entry, load) {
      const used = (): number => (proxy === undefined ? 0 : cpuSeconds(proxy.pid));
      const before = used();
      const port = proxy?.port(entry) ?? directPort(entry);
      const reply = await ask({ port, speaks: spokenBy(entry), routes: proxy?.routes ?? 0 }, load);
      return { ...reply, proxyCpuSeconds: used() - before };
    },
  };
}
