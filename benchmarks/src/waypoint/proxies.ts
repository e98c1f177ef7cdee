/** The proxies of the waypoint benchmark as programs: each on one core, in the benchmark's namespace. */

import type { ChildProcess } from "node:child_process";
import { connectTcp, openNetworkNamespace } from "@meltemi/linux";
import type { LabPlace } from "@meltemi/testkit";
import { startProgram, stopProgram } from "../l4/place-process.ts";
import { ENTRIES, type Entry } from "./traffic.ts";

/** Where a program runs and leaves its files. */
export interface Site {
  readonly place: LabPlace;
  readonly folder: string;
}

export interface RunningProxy extends AsyncDisposable {
  readonly pid: number;
  readonly routes: number;
  readonly entries: readonly Entry[];
  port(entry: Entry): number;
}

/** The core of the proxies; load generator and applications have the other. */
const PROXY_CORE = 1;
export const LOAD_CORE = 0;

const DEADLINE_MS = 20_000;
const POLL_MS = 10;

/** `taskset` becomes the program, so the process id is the program's own. */
const onCore = (core: number, command: readonly string[]): readonly string[] => [
  "taskset",
  "--cpu-list",
  String(core),
  ...command,
];

export interface ProxyProgram {
  readonly name: string;
  readonly command: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly routes: number;
  readonly entries: readonly Entry[];
  readonly firstPort: number;
  /** Where the program listens beside its entries, or behind them. */
  readonly ownPorts?: readonly number[];
}

/** Resolves when every entry accepts connections. */
export async function startProxy({ place, folder }: Site, program: ProxyProgram): Promise<RunningProxy> {
  const { name, routes, entries, firstPort, env } = program;
  const logPath = `${folder}/${name}.log`;
  const child = startProgram(place, onCore(PROXY_CORE, program.command), { logPath, ...(env && { env }) });
  const port = (entry: Entry): number => firstPort + ENTRIES[entry];
  try {
    for (const each of [...(program.ownPorts ?? []), ...entries.map(port)])
      await listening(place, child, each, `${name}, see ${logPath}`);
  } catch (error) {
    await stopProgram(child);
    throw error;
  }
  return {
    pid: child.pid ?? 0,
    routes,
    entries,
    port,
    [Symbol.asyncDispose]: () => stopProgram(child),
  };
}

async function listening(place: LabPlace, child: ChildProcess, port: number, whose: string): Promise<void> {
  const netns = openNetworkNamespace(place.path);
  try {
    for (const deadlineMs = performance.now() + DEADLINE_MS; ; ) {
      if (child.exitCode !== null || performance.now() > deadlineMs)
        throw new Error(`nobody listens on ${port}: ${whose}`);
      const destination = { ip: "127.0.0.1", port };
      const signal = AbortSignal.timeout(1000);
      const socket = await connectTcp({ netns, destination }, signal).catch(() => undefined);
      if (socket !== undefined) {
        socket.on("error", () => undefined);
        socket.destroy();
        return;
      }
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  } finally {
    netns.close();
  }
}
