/** `meltemi cluster up`: makes the cluster, or brings it up again, and waits until it can be used. */

import { spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { mkdir, readFile, rename, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createKubernetesClient, type KubernetesClient, loadKubeconfig, NODES } from "@meltemi/kubernetes";
import { type Clock, describeError, MeshError } from "@meltemi/runtime";
import { planNodes } from "../network/addresses.ts";
import type { ClusterArguments } from "./arguments.ts";
import { renderLauncher } from "./environment.ts";
import { removeFromMachine, removeStateFolder, stopDaemon } from "./leftovers.ts";
import { isUp, planCluster } from "./plan.ts";
import type { Say } from "./say.ts";
import { isFull } from "./space.ts";
import {
  type ClusterDescription,
  type ClusterFolder,
  clusterFolder,
  readDaemon,
  writeDescription,
} from "./state.ts";

export interface UpDependencies {
  readonly clock: Clock;
  readonly say: Say;
  readonly projectFolder: string;
  /** The file that knows the `run` command. */
  readonly program: string;
}

/** A cold start takes two seconds; a small machine under load several times that. */
const READY_TIMEOUT_MS = 60_000;
const POLL_MS = 50;

/** Prepares the state folder. */
async function makeFolder(
  folder: ClusterFolder,
  description: ClusterDescription,
  deps: UpDependencies,
): Promise<void> {
  await mkdir(folder.path, { recursive: true, mode: 0o755 });
  await writeDescription(folder, description);
  await writeLaunchers(folder, deps.projectFolder);
}

/** Plans the cluster and prepares its folder, for a process that becomes the cluster itself. */
export async function prepareCluster(options: ClusterArguments, deps: UpDependencies): Promise<void> {
  const { description } = await planCluster(options);
  await makeFolder(clusterFolder(options.state), description, deps);
}

export async function clusterUp(options: ClusterArguments, deps: UpDependencies): Promise<void> {
  const { say } = deps;
  const folder = clusterFolder(options.state);
  const startedAtMs = deps.clock.monotonicMs();
  const { description, isNew } = await planCluster(options);
  try {
    await makeFolder(folder, description, deps);
    await bringUp(options, description, folder, deps);
  } catch (error) {
    const told = (await isFull(folder.path, error)) ? new MeshError("UNAVAILABLE", fullText(folder)) : error;
    if (isNew) await undo(options.name, folder, description.mountedBpf, deps);
    throw told;
  }
  const seconds = ((deps.clock.monotonicMs() - startedAtMs) / 1000).toFixed(1);
  say(`cluster ${options.name} is ready (${seconds} s)`);
  say("");
  say("next:");
  say(`  eval "$(meltemi cluster env${options.name === "meltemi" ? "" : ` --name ${options.name}`})"`);
  say("  kubectl get nodes");
  say("  istioctl install --set profile=ambient");
}

async function bringUp(
  options: ClusterArguments,
  description: ClusterDescription,
  folder: ClusterFolder,
  deps: UpDependencies,
): Promise<void> {
  if (await isUp(folder)) deps.say(`cluster ${options.name} is up already`);
  else {
    deps.say(
      `starting cluster ${options.name}: ${description.nodes} nodes, API server on 127.0.0.1:${description.apiPort}`,
    );
    await startDaemon(options, folder, deps);
  }
  await waitUntilReady(folder, description, deps);
}

function fullText(folder: ClusterFolder): string {
  return `no space is left for the cluster's state in ${folder.path}: free some, or choose another --state`;
}

/** What hinders this is told beside the reason why the cluster did not come up, not in its place. */
async function undo(
  name: string,
  folder: ClusterFolder,
  mountedBpf: boolean,
  deps: UpDependencies,
): Promise<void> {
  try {
    await stopDaemon(folder, deps.clock);
    const problems = await removeFromMachine(name, folder, mountedBpf, deps.clock);
    for (const problem of problems) deps.say(problem);
    await removeStateFolder(folder);
  } catch (error) {
    deps.say(`what was made of the cluster could not be removed: ${describeError(error)}`);
  }
}

async function startDaemon(
  options: ClusterArguments,
  folder: ClusterFolder,
  deps: UpDependencies,
): Promise<void> {
  await keepLogSmall(folder.log);
  const log = openSync(folder.log, "a", 0o600);
  const words = [
    "run",
    "--name",
    options.name,
    "--state",
    options.state,
    "--restart-base-ms",
    String(options.restartBaseMs),
  ];
  const child = spawn(process.execPath, [deps.program, ...words], {
    cwd: deps.projectFolder,
    detached: true,
    stdio: ["ignore", log, log],
  });
  closeSync(log);
  const failed = new Promise<never>((_, reject) => {
    child.once("error", reject);
    child.once("exit", () => reject(new Error("it ended")));
  });
  try {
    while (!(await isUp(folder))) await Promise.race([pause(), failed]);
  } catch {
    throw new MeshError(
      "UNAVAILABLE",
      `the cluster's process did not start:\n${await lastLines(folder.log)}`,
    );
  }
  child.unref();
}

/** The API answers and every node is Ready. */
async function waitUntilReady(
  folder: ClusterFolder,
  description: ClusterDescription,
  deps: UpDependencies,
): Promise<void> {
  const wanted = planNodes(description.nodes).map(({ name }) => name);
  const deadlineMs = deps.clock.monotonicMs() + READY_TIMEOUT_MS;
  let told = 0;
  for (;;) {
    // Nodes of an earlier life look ready, too, until their kubelets have come back.
    const ready = (await readDaemon(folder))?.ready === true ? await readyNodes(folder, deps.clock) : [];
    if (ready.length > told) {
      for (const name of ready.slice(told)) deps.say(`node ${name} is ready`);
      told = ready.length;
    }
    if (wanted.every((name) => ready.includes(name))) return;
    if (!(await isUp(folder)))
      throw new MeshError("UNAVAILABLE", `the cluster's process ended:\n${await lastLines(folder.log)}`);
    if (deps.clock.monotonicMs() > deadlineMs)
      throw new MeshError(
        "TIMEOUT",
        `the nodes are not ready after ${READY_TIMEOUT_MS / 1000} s:\n${await lastLines(folder.log)}`,
      );
    await pause();
  }
}

async function readyNodes(folder: ClusterFolder, clock: Clock): Promise<readonly string[]> {
  let client: KubernetesClient | undefined;
  try {
    client = createKubernetesClient(loadKubeconfig(await readFile(folder.kubeconfig, "utf8")), { clock });
    const { items } = await client.list(NODES, { timeoutMs: 5000 });
    return items
      .filter(({ status }) =>
        status?.conditions?.some(({ type, status: value }) => type === "Ready" && value === "True"),
      )
      .map(({ metadata }) => metadata?.name ?? "");
  } catch {
    // Not there yet; the caller has a deadline and a log to show.
    return [];
  } finally {
    client?.close();
  }
}

async function writeLaunchers(folder: ClusterFolder, projectFolder: string): Promise<void> {
  await mkdir(folder.bin, { recursive: true });
  for (const name of ["meltemi", "istioctl"])
    await writeFile(join(folder.bin, name), renderLauncher(name, process.execPath, projectFolder), {
      mode: 0o755,
    });
}

/** The log of the daemon's last lives; nobody reads further back. */
const LOG_LIMIT_BYTES = 10 * 1024 * 1024;

async function keepLogSmall(path: string): Promise<void> {
  const size = await stat(path).then(
    (found) => found.size,
    () => 0,
  );
  if (size > LOG_LIMIT_BYTES) await rename(path, `${path}.1`);
}

async function lastLines(path: string): Promise<string> {
  const text = await readFile(path, "utf8").catch(() => "");
  return text.trimEnd().split("\n").slice(-15).join("\n");
}

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, POLL_MS));
}
