/** Removes everything of a cluster from the machine, found by name and not by memory: it also works after a crash. */

import { readFileSync } from "node:fs";
import { readdir, rm, rmdir } from "node:fs/promises";
import { join } from "node:path";
import { findCgroup2Mount } from "@meltemi/linux";
import type { Clock } from "@meltemi/runtime";
import { clusterCgroup, removeCgroup } from "../kubelet/container/cgroup.ts";
import { isRunning, signalProcess } from "../kubelet/container/process-identity.ts";
import { listNamespaces, removeNamespace } from "../network/build.ts";
import { runProgram } from "../network/run-program.ts";
import { removeBpf } from "./bpf.ts";
import { type ClusterFolder, readDaemon } from "./state.ts";

/** The daemon lets go of its pods and closes its store; a stuck one is killed. */
const DAEMON_GRACE_MS = 10_000;
const POLL_MS = 20;

/** Ends the daemon that the state folder names, if it still is that process. */
export async function stopDaemon(folder: ClusterFolder, clock: Clock): Promise<void> {
  const daemon = await readDaemon(folder);
  if (daemon !== undefined && isRunning(daemon)) {
    signalProcess(daemon, "SIGTERM");
    const deadlineMs = clock.monotonicMs() + DAEMON_GRACE_MS;
    // It is not our child: nobody tells us of its end.
    while (isRunning(daemon) && clock.monotonicMs() < deadlineMs)
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    signalProcess(daemon, "SIGKILL");
  }
  await rm(folder.daemon, { force: true });
}

/** Everything outside the state folder. */
export async function removeFromMachine(
  cluster: string,
  folder: ClusterFolder,
  mountedBpf: boolean,
  clock: Clock,
): Promise<readonly string[]> {
  const problems: string[] = [];
  const mount = findCgroup2Mount();
  if (mount !== undefined && !(await removeCgroup(clusterCgroup(mount, cluster), clock)))
    problems.push(`processes in ${clusterCgroup(mount, cluster)} do not end`);
  for (const namespace of await listNamespaces(cluster)) await removeNamespace(namespace);
  for (const path of mountsBelow(folder.path)) await runProgram("umount", ["-l", path]);
  await removeBpf(cluster, mountedBpf);
  return problems;
}

/** Deepest first. A disk that is mounted on the folder itself is somebody else's. */
function mountsBelow(folder: string): readonly string[] {
  const paths = readFileSync("/proc/self/mountinfo", "utf8")
    .split("\n")
    .map((line) => line.split(" ")[4] ?? "")
    .filter((path) => path.startsWith(`${folder}/`));
  return paths.reverse();
}

/** With all that is in it; a folder that is a mount point stays, empty. */
export async function removeStateFolder(folder: ClusterFolder): Promise<void> {
  const entries = await readdir(folder.path).catch(() => []);
  for (const entry of entries) await rm(join(folder.path, entry), { recursive: true, force: true });
  await rmdir(folder.path).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "EBUSY" && error.code !== "ENOENT") throw error;
  });
}
