/** The local cluster's program: `meltemi cluster …` passes its words here. */

import { readFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import {
  createLogger,
  describeError,
  LogFilter,
  type Logger,
  MeshError,
  systemClock,
} from "@meltemi/runtime";
import { type ClusterArguments, parseClusterArguments } from "./cluster/arguments.ts";
import { clusterDown } from "./cluster/down.ts";
import { renderEnvironment } from "./cluster/environment.ts";
import { LOCK_FOLDER, withClusterLock } from "./cluster/lock.ts";
import { clusterFolder, readDescription, STATE_ROOT, writeJsonFile } from "./cluster/state.ts";
import { clusterStatus, otherRunning, renderOthers, renderStatus } from "./cluster/status.ts";
import { clusterUp, prepareCluster, type UpDependencies } from "./cluster/up.ts";
import { DEFAULT_NAME, renderUsage } from "./cluster/usage.ts";
import { identifyProcess } from "./kubelet/container/process-identity.ts";

const projectFolder = join(import.meta.dirname, "..", "..", "..");
const say = (line: string): void => void process.stderr.write(`${line}\n`);
const upDeps: UpDependencies = { clock: systemClock, say, projectFolder, program: import.meta.filename };

async function main(words: readonly string[]): Promise<void> {
  const options = parseClusterArguments(words);
  switch (options.command) {
    case "up":
      return options.foreground
        ? await runInForeground(options)
        : await locked(options, "up", () => clusterUp(options, upDeps));
    case "run":
      return await run(options);
    case "status":
      return await status(options);
    case "env":
      return await env(options);
    case "down":
      return await locked(options, "down", () => clusterDown(options, { clock: systemClock, say }));
    default:
      process.stdout.write(renderUsage(options.topic));
  }
}

/** Without root, what is to be done is refused, and in better words than those of a lock that cannot be written. */
function locked(options: ClusterArguments, verb: "up" | "down", work: () => Promise<void>): Promise<void> {
  return process.getuid?.() === 0 ? withClusterLock(LOCK_FOLDER, options.name, verb, work) : work();
}

async function runInForeground(options: ClusterArguments): Promise<void> {
  await locked(options, "up", async () => {
    await prepareCluster(options, upDeps);
    // From here on, another `up` finds this process.
    await writeJsonFile(clusterFolder(options.state).daemon, identifyProcess(process.pid));
  });
  await run(options);
}

async function run(options: ClusterArguments): Promise<void> {
  const folder = clusterFolder(options.state);
  const log = daemonLog();
  tellUnexpectedEnd(log);
  const self = identifyProcess(process.pid);
  await writeJsonFile(folder.daemon, self);
  // Only the daemon needs the API server and all that runs in its process: the other commands answer at once.
  const { runCluster } = await import("./cluster/run.ts");
  const { version } = JSON.parse(readFileSync(join(projectFolder, "package.json"), "utf8")) as {
    version: string;
  };
  const cluster = await runCluster(
    { state: options.state, projectFolder, version, restartBaseMs: options.restartBaseMs },
    { clock: systemClock, random: Math.random, log },
  );
  await writeJsonFile(folder.daemon, { ...self, ready: true });
  let stopping = false;
  const stop = (signal: NodeJS.Signals): void => {
    if (stopping) return;
    stopping = true;
    log.info("stopping", { signal });
    void cluster
      .stop()
      .then(() => rm(folder.daemon, { force: true }))
      .catch((error) => log.error("stopping failed", { error: describeError(error) }))
      .finally(() => process.exit(0));
  };
  process.on("SIGTERM", stop);
  process.on("SIGINT", stop);
}

/** What nobody caught leaves the process in no known state: it ends, and the next `up` finds everything again. */
function tellUnexpectedEnd(log: Logger): void {
  process.on("uncaughtException", (error: unknown, origin) => {
    const stack = error instanceof Error ? (error.stack ?? "") : "";
    log.error("the cluster's process ends: an error that nothing caught", {
      origin,
      error: describeError(error),
      stack,
    });
    process.exit(1);
  });
}

function daemonLog(): Logger {
  const filter = new LogFilter();
  const write = (line: string): void => void process.stderr.write(line);
  return createLogger({ filter, format: "plain", nowMs: systemClock.nowMs, write }, "cluster");
}

async function status(options: ClusterArguments): Promise<void> {
  const found = await clusterStatus(options, systemClock);
  process.stdout.write(
    options.output === "json" ? `${JSON.stringify(found, undefined, 2)}\n` : renderStatus(found),
  );
  // Without a name it may be another one that is meant.
  if (options.output === "text" && options.name === DEFAULT_NAME)
    process.stdout.write(renderOthers(await otherRunning(STATE_ROOT, found.name)));
  if (found.state !== "up") process.exitCode = 1;
}

async function env(options: ClusterArguments): Promise<void> {
  const folder = clusterFolder(options.state);
  if ((await readDescription(folder)) === undefined)
    throw new MeshError(
      "NOT_FOUND",
      `there is no cluster ${options.name}: make it with \`meltemi cluster up${options.name === DEFAULT_NAME ? "" : ` --name ${options.name}`}\``,
    );
  process.stdout.write(renderEnvironment(folder));
}

try {
  await main(process.argv.slice(2));
} catch (error) {
  say(`Error: ${describeError(error)}`);
  // A cluster that started in part holds sockets open.
  process.exit(1);
}
