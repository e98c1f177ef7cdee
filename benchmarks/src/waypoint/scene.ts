/** One namespace with the applications, the load generators, and every proxy that this machine has. */

import { cpus } from "node:os";
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
  /** From now on every program may run on any core: on one alone, latency would be that of whoever else is there. */
  unpin(): Promise<void>;
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
  const { ask: load, pids } = await startLoad(node, stack);
  const paths = [pathTo(load, "direct", undefined)];
  const add = async (name: PathName, starting: Promise<RunningProxy>): Promise<void> => {
    paths.push(pathTo(load, name, stack.use(await starting)));
  };
  await add("nginx", startNginx(site));
  await add("haproxy", startHaproxy(site));
  const envoy = findEnvoy(environment);
  if (envoy === undefined) progress("no envoy on PATH and no ENVOY_BINARY: without that peer");
  else await add("envoy", startEnvoy(site, envoy));
  await add("manyRoutes", startEngine(site, MANY_ROUTES));
  await add("waypoint", startWaypointInMesh(site));
  // Last: those before have left the compiled form of its program, as earlier starts of a waypoint do.
  await add("ours", startEngine(site, FEW_ROUTES));
  const owned = stack.move();
  const unpin = async (): Promise<void> => {
    const proxies = paths.flatMap(({ proxy }) => (proxy === undefined ? [] : [proxy.pid]));
    for (const pid of [...proxies, ...pids])
      await node.run([
        "taskset",
        "--all-tasks",
        "--cpu-list",
        "--pid",
        `0-${cpus().length - 1}`,
        String(pid),
      ]);
  };
  return { node, paths, unpin, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

type Ask = (target: LoadTarget, load: Load) => Promise<LoadReply>;

interface StartedLoad {
  readonly ask: Ask;
  readonly pids: readonly number[];
}

async function startLoad(node: LabNode, stack: AsyncDisposableStack): Promise<StartedLoad> {
  const start = async (program: string) => {
    const { child } = await startWorker(node, new URL(program, import.meta.url), [], LOAD_CORE);
    stack.defer(() => stopProgram(child));
    return child;
  };
  const applications = [await start("./application.worker.ts"), await start("./application-http2.worker.ts")];
  const generator = await start("./load.worker.ts");
  const ask: Ask = async (target, load) => {
    generator.send({ target, ...load });
    const reply = await nextMessage<LoadReply>(generator);
    if (reply.fault !== undefined) process.stderr.write(`load generator: ${reply.fault}\n`);
    return reply;
  };
  return { ask, pids: [...applications, generator].map(({ pid = 0 }) => pid) };
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
