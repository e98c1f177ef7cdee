/** The waypoint as a process: its configuration, its parts from the real world, its signals. */

import { randomUUID } from "node:crypto";
import { lookup } from "node:dns/promises";
import { createCertificateManager } from "@meltemi/identity";
import {
  applyLogClauses,
  certificateFetcher,
  collectProcessMetrics,
  createLineWriter,
  createXdsMetrics,
  limitsFor,
  maxOpenFiles,
  parseLogClauses,
  readText,
  rootsOf,
  xdsClientParts,
} from "@meltemi/proxy-process";
import {
  createLogger,
  describeError,
  type Environment,
  LogFilter,
  type Logger,
  systemClock,
} from "@meltemi/runtime";
import { createRegistry, type Registry } from "@meltemi/telemetry";
import { createWaypointXdsClient } from "@meltemi/xds";
import { readConfig, type WaypointConfig } from "./config.ts";
import type { WaypointDeps } from "./parts.ts";
import { startWaypoint } from "./waypoint.ts";
import { xdsNode } from "./world/xds-node.ts";

/** Exit code: 0 after a drain, 1 when it fails, 2 on bad configuration. `onStarted` is called once its admin ports are open. */
export async function runProxyProcess(
  words: readonly string[],
  env: Environment,
  onStarted: () => void,
): Promise<number> {
  let config: WaypointConfig;
  try {
    config = readConfig(words, env);
  } catch (error) {
    process.stderr.write(`${describeError(error)}\n`);
    return 2;
  }
  const filter = new LogFilter("info");
  applyLogClauses(filter, parseLogClauses(config.log.filter) ?? []);
  const write = createLineWriter((text) => void process.stdout.write(text));
  const logger = createLogger(
    { filter, format: config.log.format, nowMs: () => systemClock.nowMs(), write },
    "waypoint",
  );
  try {
    await run(config, makeDeps(config, logger, filter, write), onStarted);
    return 0;
  } catch (error) {
    logger.error("waypoint failed", { error: describeError(error) });
    return 1;
  }
}

async function run(config: WaypointConfig, deps: WaypointDeps, onStarted: () => void): Promise<void> {
  const waypoint = await startWaypoint(config, deps);
  const { adminPort, statsPort, readinessPort } = waypoint.ports;
  deps.logger.info("started", { adminPort, statsPort, readinessPort });
  onStarted();
  // The second signal of a kind finds no handler, and ends the process at once.
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => void waypoint.shutdown());
  // Sockets and timers of this process do not all hold it; its end does.
  const alive = setInterval(() => undefined, 2 ** 30);
  await waypoint.finished.finally(() => clearInterval(alive));
}

function makeDeps(
  config: WaypointConfig,
  logger: Logger,
  filter: LogFilter,
  writeLine: (line: string) => void,
): WaypointDeps {
  const registry = createRegistry();
  collectProcessMetrics(registry);
  const caRoots = rootsOf(config.ca);
  return {
    clock: systemClock,
    random: Math.random,
    requestId: randomUUID,
    logger,
    filter,
    registry,
    writeLine,
    certificates: createCertificateManager(
      {},
      {
        clock: systemClock,
        random: Math.random,
        fetch: certificateFetcher(
          { ...config, clusterId: config.place.clusterId, impersonate: false },
          { clock: systemClock },
        ),
        log: logger.scope("identity"),
      },
    ),
    caRoots: caRoots && (() => readText(caRoots)),
    admission: limitsFor(maxOpenFiles()),
    lookup: (hostname) => lookup(hostname, { all: true }),
    controlPlane: controlPlaneOf(config, logger, registry),
  };
}

function controlPlaneOf(
  config: WaypointConfig,
  logger: Logger,
  registry: Registry,
): WaypointDeps["controlPlane"] {
  const settings = { ...config, clusterId: config.place.clusterId, node: xdsNode(config) };
  const { options, sources } = xdsClientParts(settings, config.xds.address ?? "");
  return (onUpdate) =>
    createWaypointXdsClient(options, {
      ...sources,
      clock: systemClock,
      logger: logger.scope("xds"),
      random: Math.random,
      onUpdate,
      metrics: createXdsMetrics(registry),
    });
}
