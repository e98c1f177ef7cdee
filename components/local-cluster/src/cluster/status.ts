/** `meltemi cluster status`. */

import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import {
  createKubernetesClient,
  type KubernetesClient,
  loadKubeconfig,
  NODES,
  PODS,
} from "@meltemi/kubernetes";
import { type Clock, describeError } from "@meltemi/runtime";
import { isRunning } from "../kubelet/container/process-identity.ts";
import type { ClusterArguments } from "./arguments.ts";
import { type ClusterFolder, clusterFolder, readDaemon, readDescription } from "./state.ts";

export interface ClusterStatus {
  readonly name: string;
  readonly state: "absent" | "down" | "up" | "unhealthy";
  readonly folder: string;
  readonly kubeconfig?: string;
  readonly server?: string;
  readonly pid?: number;
  readonly nodes?: readonly { readonly name: string; readonly ready: boolean; readonly pods: number }[];
  readonly problem?: string;
}

export async function clusterStatus(options: ClusterArguments, clock: Clock): Promise<ClusterStatus> {
  const folder = clusterFolder(options.state);
  const description = await readDescription(folder);
  if (description === undefined) return { name: options.name, state: "absent", folder: folder.path };
  const base = { name: description.name, folder: folder.path };
  const daemon = await readDaemon(folder);
  if (daemon === undefined) return { ...base, state: "down" };
  // A cluster that is taken down removes the file.
  if (!isRunning(daemon)) return { ...base, state: "down", problem: diedText(daemon.pid, folder, options) };
  const known = {
    ...base,
    kubeconfig: folder.kubeconfig,
    server: `https://127.0.0.1:${description.apiPort}`,
    pid: daemon.pid,
  };
  try {
    return { ...known, state: "up", nodes: await listNodes(folder, clock) };
  } catch (error) {
    return { ...known, state: "unhealthy", problem: describeError(error) };
  }
}

/** Names of the clusters in a folder of clusters that run, but for `name`. A folder that is not there, or is no cluster, has none. */
export async function otherRunning(root: string, name: string): Promise<readonly string[]> {
  const found: string[] = [];
  for (const entry of await foldersIn(root)) {
    const folder = clusterFolder(join(root, entry));
    const [description, daemon] = await Promise.all([readDescription(folder), readDaemon(folder)]);
    if (description === undefined || daemon === undefined || description.name === name) continue;
    if (isRunning(daemon)) found.push(description.name);
  }
  return found.sort();
}

async function foldersIn(root: string): Promise<readonly string[]> {
  try {
    return await readdir(root);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}

/** Pure. */
export function renderOthers(names: readonly string[]): string {
  if (names.length === 0) return "";
  return `others that run on this machine: ${names.join(", ")} (see one with --name)\n`;
}

function diedText(pid: number, folder: ClusterFolder, { name }: ClusterArguments): string {
  return `its process ${pid} ended unexpectedly (see ${folder.log}); its pods run on, and \`meltemi cluster up --name ${name}\` brings it back`;
}

async function listNodes(folder: ClusterFolder, clock: Clock): Promise<NonNullable<ClusterStatus["nodes"]>> {
  const client: KubernetesClient = createKubernetesClient(
    loadKubeconfig(await readFile(folder.kubeconfig, "utf8")),
    {
      clock,
    },
  );
  try {
    const nodes = await client.list(NODES, { timeoutMs: 5000 });
    const pods = await client.list(PODS, { timeoutMs: 5000 });
    return nodes.items.map(({ metadata, status }) => ({
      name: metadata?.name ?? "",
      ready:
        status?.conditions?.some(({ type, status: value }) => type === "Ready" && value === "True") === true,
      pods: pods.items.filter(({ spec }) => spec?.nodeName === metadata?.name).length,
    }));
  } finally {
    client.close();
  }
}

/** For people. Pure. */
export function renderStatus(status: ClusterStatus): string {
  const nodes = status.nodes ?? [];
  return [
    `cluster ${status.name}: ${status.state}`,
    `  state   ${status.folder}`,
    ...(status.server === undefined ? [] : [`  server  ${status.server} (process ${status.pid})`]),
    ...nodes.map(({ name, ready, pods }) => `  ${name}  ${ready ? "Ready" : "NotReady"}  ${pods} pods`),
    ...(status.problem === undefined ? [] : [`  problem ${status.problem}`]),
    "",
  ].join("\n");
}
