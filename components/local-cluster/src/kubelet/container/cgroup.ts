/** Control groups of pods: how their processes are found, and ended without exception. */

import { watch } from "node:fs";
import { mkdir, readdir, readFile, rmdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Clock } from "@meltemi/runtime";

/** `<cgroup2 mount>/meltemi-<cluster>` */
export function clusterCgroup(mount: string, cluster: string): string {
  return join(mount, `meltemi-${cluster}`);
}

/** The pod's uid stands in the path, as on any node: agents find a pod's processes by it. */
export function podCgroup(clusterFolder: string, node: string, uid: string): string {
  return join(clusterFolder, node, `pod${uid}`);
}

export async function makeCgroup(path: string): Promise<void> {
  await mkdir(path, { recursive: true });
}

/** Sends SIGKILL to every process in the group and below, atomically (cgroups(7), cgroup.kill). */
export async function killCgroup(path: string): Promise<void> {
  await writeFile(join(path, "cgroup.kill"), "1").catch(ignoreAbsent);
}

async function isPopulated(path: string): Promise<boolean> {
  const events = await readFile(join(path, "cgroup.events"), "utf8").catch(() => "populated 0");
  return events.includes("populated 1");
}

/** The kernel reaps killed processes in milliseconds; one stuck in the kernel for longer than this is reported. */
const EMPTY_DEADLINE_MS = 10_000;

/** Kills what is inside, waits until it is gone, and removes the folders. True when all is gone. */
export async function removeCgroup(path: string, clock: Clock): Promise<boolean> {
  await killCgroup(path);
  await untilEmpty(path, clock);
  return removeFolders(path);
}

/** The kernel notifies watchers of cgroup.events when the last process ends. */
async function untilEmpty(path: string, clock: Clock): Promise<void> {
  if (!(await isPopulated(path))) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  const watcher = watch(
    join(path, "cgroup.events"),
    () => void isPopulated(path).then((full) => full || resolve()),
  );
  watcher.on("error", () => resolve());
  const timer = clock.after(EMPTY_DEADLINE_MS, resolve);
  if (!(await isPopulated(path))) resolve();
  await promise;
  timer.cancel();
  watcher.close();
}

async function removeFolders(path: string): Promise<boolean> {
  const entries = await readdir(path, { withFileTypes: true }).catch(() => []);
  for (const entry of entries) if (entry.isDirectory()) await removeFolders(join(path, entry.name));
  return rmdir(path).then(
    () => true,
    (error: NodeJS.ErrnoException) => error.code === "ENOENT",
  );
}

function ignoreAbsent(error: NodeJS.ErrnoException): void {
  if (error.code !== "ENOENT") throw error;
}
