/** The folder of a cluster: where everything is, and what is written down there. */

import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { MeshError } from "@meltemi/runtime";
import type { ProcessIdentity } from "../kubelet/container/process-identity.ts";

/** Where clusters are kept unless told otherwise. */
export const STATE_ROOT = "/var/lib/meltemi";

export interface ClusterFolder {
  readonly path: string;
  /** Made by `up`: what the cluster is. */
  readonly description: string;
  /** Made by the daemon: its process. */
  readonly daemon: string;
  readonly database: string;
  readonly credentials: string;
  readonly kubeconfig: string;
  readonly log: string;
  /** Holds `meltemi` and `istioctl`. */
  readonly bin: string;
  /** A folder per node. */
  node(name: string): NodeStateFolder;
}

interface NodeStateFolder {
  readonly path: string;
  readonly fileSystem: string;
  readonly pods: string;
  readonly scratch: string;
}

export interface ClusterDescription {
  readonly name: string;
  readonly nodes: number;
  readonly apiPort: number;
  readonly zones: readonly string[];
  /** `up` mounted the bpffs, so `down` unmounts it. */
  readonly mountedBpf: boolean;
}

export function clusterFolder(path: string): ClusterFolder {
  return {
    path,
    description: join(path, "cluster.json"),
    daemon: join(path, "daemon.json"),
    database: join(path, "api.sqlite"),
    credentials: join(path, "credentials.json"),
    kubeconfig: join(path, "kubeconfig"),
    log: join(path, "daemon.log"),
    bin: join(path, "bin"),
    node(name) {
      const folder = join(path, "nodes", name);
      return {
        path: folder,
        fileSystem: join(folder, "fs"),
        pods: join(folder, "pods"),
        scratch: join(folder, "cni"),
      };
    },
  };
}

export async function readDescription(folder: ClusterFolder): Promise<ClusterDescription | undefined> {
  const document = await readJsonFile(folder.description);
  if (document === undefined) return undefined;
  const { name, nodes, apiPort, mountedBpf, zones } = document;
  if (typeof name !== "string" || typeof nodes !== "number" || typeof apiPort !== "number")
    throw new MeshError(
      "CONFIG_INVALID",
      `${folder.description}: expected a cluster's name, nodes and apiPort`,
    );
  const known = Array.isArray(zones) ? zones.filter((zone) => typeof zone === "string") : [];
  return { name, nodes, apiPort, zones: known, mountedBpf: mountedBpf === true };
}

export async function writeDescription(
  folder: ClusterFolder,
  description: ClusterDescription,
): Promise<void> {
  await writeJsonFile(folder.description, description);
}

export interface Daemon extends ProcessIdentity {
  /** The API answers and every kubelet works. */
  readonly ready: boolean;
}

export async function readDaemon(folder: ClusterFolder): Promise<Daemon | undefined> {
  const document = await readJsonFile(folder.daemon);
  const { pid, startTicks, ready } = document ?? {};
  if (typeof pid !== "number" || typeof startTicks !== "number") return undefined;
  return { pid, startTicks, ready: ready === true };
}

/** Undefined when there is no such file. Throws CONFIG_INVALID when it is no JSON object, UNAVAILABLE when it cannot be read. */
export async function readJsonFile(path: string): Promise<Readonly<Record<string, unknown>> | undefined> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    const hint = code === "EACCES" ? ": clusters belong to root (try sudo)" : "";
    throw new MeshError("UNAVAILABLE", `${path} cannot be read${hint}`, { cause });
  }
  try {
    const document: unknown = JSON.parse(text);
    if (typeof document === "object" && document !== null)
      return document as Readonly<Record<string, unknown>>;
  } catch (cause) {
    throw new MeshError("CONFIG_INVALID", `${path}: expected JSON`, { cause });
  }
  throw new MeshError("CONFIG_INVALID", `${path}: expected a JSON object`);
}

/** Replaced in one step, readable by root alone. */
export async function writeJsonFile(path: string, value: unknown): Promise<void> {
  await writePrivateFile(path, `${JSON.stringify(value, undefined, 2)}\n`);
}

export async function writePrivateFile(path: string, text: string): Promise<void> {
  await mkdir(join(path, ".."), { recursive: true, mode: 0o755 });
  await writeFile(`${path}.new`, text, { mode: 0o600 });
  await rename(`${path}.new`, path);
}
