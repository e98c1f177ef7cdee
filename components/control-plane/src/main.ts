/** `discovery`: the control plane as a process. Ends with 0 after SIGTERM or SIGINT, with 1 when it cannot start, with 2 on bad configuration. */

import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { dirname } from "node:path";
import {
  type ClusterAccess,
  createKubernetesClient,
  loadInCluster,
  loadKubeconfig,
  withServedVersions,
} from "@meltemi/kubernetes";
import {
  changeLogLevels,
  createLogger,
  describeError,
  isLogLevel,
  LogFilter,
  type Logger,
  systemClock,
} from "@meltemi/runtime";
import { type ControlPlaneConfig, readConfig } from "./config.ts";
import { runControlPlane } from "./run.ts";

async function main(): Promise<number> {
  const [command, ...args] = process.argv.slice(2);
  if (command !== "discovery") {
    process.stderr.write(`unknown command ${JSON.stringify(command ?? "")}: expected discovery\n`);
    return 2;
  }
  const result = readConfig(args, process.env);
  if (result.kind === "invalid") {
    for (const problem of result.problems) process.stderr.write(`${problem}\n`);
    return 2;
  }
  const { config } = result;
  const level = isLogLevel(config.logLevel) ? config.logLevel : "info";
  const filter = new LogFilter(level);
  const logger = makeLogger(config, filter);
  const stop = new AbortController();
  process.once("SIGTERM", () => stop.abort());
  process.once("SIGINT", () => stop.abort());
  try {
    const client = withServedVersions(createKubernetesClient(await loadAccess(), { clock: systemClock }));
    const deps = {
      client,
      clock: systemClock,
      random: Math.random,
      randomBytes: (count: number): Uint8Array => randomBytes(count),
      logger,
      changeLogLevels: (method: string, query: URLSearchParams) =>
        changeLogLevels(filter, level, method, query),
    };
    await runControlPlane(config, deps, stop.signal);
    client.close();
    return 0;
  } catch (error) {
    logger.error("control plane failed", { reason: describeError(error) });
    return 1;
  }
}

function makeLogger(config: ControlPlaneConfig, filter: LogFilter): Logger {
  const sink = {
    filter,
    format: config.logFormat,
    nowMs: () => systemClock.nowMs(),
    write: (line: string): void => {
      process.stdout.write(line);
    },
  };
  return createLogger(sink, "istiod");
}

/** In a pod by its service account; outside by KUBECONFIG, for development. */
async function loadAccess(): Promise<ClusterAccess> {
  const path = process.env["KUBECONFIG"];
  if (path !== undefined && path !== "")
    return loadKubeconfig(readFileSync(path, "utf8"), { folder: dirname(path) });
  return await loadInCluster({
    env: process.env,
    clock: systemClock,
    readFile: (file) => readFile(file, "utf8"),
  });
}

// Timers hold no process, and one that waits to ask the API server again has nothing else.
const alive = setInterval(() => undefined, 2 ** 30);
const exitCode = await main();
clearInterval(alive);
// Informers and timers hold nothing back once they are stopped; a connection that lingers must not keep the pod.
process.exit(exitCode);
