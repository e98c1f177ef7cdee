/** A proxy as a process: its configuration, its log, what it takes from the real world, its signals, its exit code. */

import type { LookupAddress } from "node:dns";
import { lookup } from "node:dns/promises";
import {
  applyLogClauses,
  type Clock,
  createLogger,
  describeError,
  type LogFields,
  LogFilter,
  type Logger,
  parseLogClauses,
  systemClock,
} from "@meltemi/runtime";
import { createRegistry, type Registry } from "@meltemi/telemetry";
import type { AdminServers } from "./admin/servers.ts";
import { type AdmissionLimits, limitsFor } from "./admission.ts";
import type { LogConfig } from "./environment.ts";
import { createLineWriter } from "./line-writer.ts";
import { collectProcessMetrics, maxOpenFiles } from "./process-metrics.ts";

/** What every proxy takes from its process. */
export interface ProcessParts {
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  readonly logger: Logger;
  readonly filter: LogFilter;
  /** Lines of other logs than `logger`, each with its end. */
  readonly writeLine: (line: string) => void;
  readonly registry: Registry;
  readonly admission: AdmissionLimits;
  readonly lookup: (hostname: string) => Promise<readonly LookupAddress[]>;
}

/** A proxy that runs, as its process knows it. */
export interface RunningProxy {
  readonly ports: Omit<AdminServers, "close">;
  /** Drains and stops; a second call waits for the first. */
  shutdown(): Promise<void>;
  /** Resolves when stopped, rejects when something failed for good. */
  readonly finished: Promise<void>;
}

export interface ProxyProgram<Config extends { readonly log: LogConfig }> {
  readonly component: "ztunnel" | "waypoint";
  /** Throws when it must not start like this. */
  readonly readConfig: () => Config;
  readonly start: (config: Config, parts: ProcessParts) => Promise<RunningProxy>;
  /** For the log line that says that it started. */
  readonly startedFields?: (config: Config) => LogFields;
}

/** Exit code: 0 after a drain, 1 when it fails, 2 on bad configuration. `onStarted` is called once its admin ports are open. */
export async function runProxy<Config extends { readonly log: LogConfig }>(
  program: ProxyProgram<Config>,
  onStarted: () => void,
): Promise<number> {
  let config: Config;
  try {
    config = program.readConfig();
  } catch (error) {
    process.stderr.write(`${describeError(error)}\n`);
    return 2;
  }
  const parts = makeParts(program.component, config.log);
  const { logger } = parts;
  try {
    const proxy = await program.start(config, parts);
    const { adminPort, statsPort, readinessPort } = proxy.ports;
    logger.info("started", { ...program.startedFields?.(config), adminPort, statsPort, readinessPort });
    onStarted();
    await untilFinished(proxy);
    return 0;
  } catch (error) {
    logger.error(`${program.component} failed`, { error: describeError(error) });
    return 1;
  }
}

async function untilFinished(proxy: RunningProxy): Promise<void> {
  // The second signal of a kind finds no handler, and ends the process at once.
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => void proxy.shutdown());
  // Sockets and timers of this process do not all hold it; its end does.
  const alive = setInterval(() => undefined, 2 ** 30);
  await proxy.finished.finally(() => clearInterval(alive));
}

function makeParts(component: string, log: LogConfig): ProcessParts {
  const filter = new LogFilter("info");
  applyLogClauses(filter, parseLogClauses(log.filter) ?? []);
  const writeLine = createLineWriter((text) => void process.stdout.write(text));
  const sink = { filter, format: log.format, nowMs: () => systemClock.nowMs(), write: writeLine };
  const registry = createRegistry();
  collectProcessMetrics(registry);
  return {
    clock: systemClock,
    random: Math.random,
    logger: createLogger(sink, component),
    filter,
    writeLine,
    registry,
    admission: limitsFor(maxOpenFiles()),
    lookup: (hostname) => lookup(hostname, { all: true }),
  };
}
