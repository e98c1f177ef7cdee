/** The cluster's folders in the eBPF file system: what an agent pins there is the node's own. */

import { readFileSync } from "node:fs";
import { mkdir, readdir, rm, rmdir, unlink } from "node:fs/promises";
import { join } from "node:path";
import { ensureBpfFileSystem } from "@meltemi/linux";
import { runProgram } from "../network/run-program.ts";

const BPF_MOUNT = "/sys/fs/bpf";
/** In every bpffs from the start. */
const KERNEL_FILES = new Set(["maps.debug", "progs.debug"]);

function clusterBpfFolder(cluster: string): string {
  return join(BPF_MOUNT, `meltemi-${cluster}`);
}

/** Mounts the bpffs when it is missing. True when this call mounted it. */
export function ensureBpf(): boolean {
  if (isMounted()) return false;
  ensureBpfFileSystem(BPF_MOUNT);
  return true;
}

export async function makeNodeBpfFolder(cluster: string, node: string): Promise<string> {
  const folder = join(clusterBpfFolder(cluster), node);
  await mkdir(folder, { recursive: true });
  return folder;
}

/** Unpins everything of the cluster, and unmounts the bpffs when `up` mounted it and nobody else uses it. */
export async function removeBpf(cluster: string, mountedByUs: boolean): Promise<void> {
  if (!isMounted()) return;
  await removeTree(clusterBpfFolder(cluster));
  const others = (await readdir(BPF_MOUNT)).filter((name) => !KERNEL_FILES.has(name));
  if (mountedByUs && others.length === 0) await runProgram("umount", [BPF_MOUNT]);
}

/** Pins are files that can only be unlinked; `rm` of a tree asks for more than the bpffs gives. */
async function removeTree(folder: string): Promise<void> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  for (const entry of entries) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) await removeTree(path);
    else await unlink(path);
  }
  await rmdir(folder).catch(async (error: NodeJS.ErrnoException) => {
    if (error.code !== "ENOENT") await rm(folder, { recursive: true });
  });
}

function isMounted(): boolean {
  return readFileSync("/proc/self/mountinfo", "utf8")
    .split("\n")
    .some((line) => line.split(" ")[4] === BPF_MOUNT && line.includes(" - bpf "));
}
