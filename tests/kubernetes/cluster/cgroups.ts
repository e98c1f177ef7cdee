/** Control groups of machines: what a machine starts stays in its group, so the group is also the list of what is to be ended. */

import { existsSync, readdirSync, readFileSync, rmdirSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { eventually } from "@meltemi/testkit";

/** Of all machines; below it one for each. */
const TOP = "meltemi-kubernetes";
const END_DEADLINE_MS = 30_000;

interface Hierarchy {
  readonly version: 1 | 2;
  readonly mountPoint: string;
}

/** Makes the machine's group in every hierarchy; a process that writes itself into each `cgroup.procs` is the machine's. */
export async function makeCgroups(machine: string): Promise<readonly string[]> {
  const folders: string[] = [];
  for (const { version, mountPoint } of hierarchies()) {
    for (const path of [TOP, `${TOP}/${machine}`]) {
      const folder = join(mountPoint, path);
      await mkdir(folder, { recursive: true });
      if (version === 1) await inheritProcessors(folder);
      else await giveControllers(join(folder, ".."));
    }
    folders.push(join(mountPoint, TOP, machine));
  }
  return folders;
}

/** Ends everything in the machine's groups, then removes them. Nothing to do when there are none. */
export async function endCgroups(machine: string): Promise<void> {
  const tops = hierarchies().map(({ mountPoint }) => join(mountPoint, TOP));
  await eventually(
    () => {
      const processes = new Set(tops.flatMap((top) => processesBelow(join(top, machine))));
      for (const pid of processes) kill(pid);
      return processes.size === 0;
    },
    { deadlineMs: END_DEADLINE_MS, everyMs: 50 },
  );
  for (const top of tops) {
    removeTree(join(top, machine));
    if (existsSync(top) && foldersIn(top).length === 0) rmdirSync(top);
  }
}

/** The machines that have a group: also those of a run that was killed. */
export function machinesWithCgroups(): readonly string[] {
  return [...new Set(hierarchies().flatMap(({ mountPoint }) => foldersIn(join(mountPoint, TOP))))];
}

/** Ids, as this process sees them, of what runs in the machine. */
export function processesOf(machine: string): readonly number[] {
  const [first] = hierarchies();
  return first === undefined ? [] : processesBelow(join(first.mountPoint, TOP, machine));
}

function hierarchies(): readonly Hierarchy[] {
  return readFileSync("/proc/self/mountinfo", "utf8")
    .split("\n")
    .flatMap((line): Hierarchy[] => {
      const [left = "", right = ""] = line.split(" - ");
      const type = right.split(" ")[0];
      const mountPoint = left.split(" ")[4];
      if ((type !== "cgroup" && type !== "cgroup2") || mountPoint === undefined) return [];
      return [{ version: type === "cgroup" ? 1 : 2, mountPoint }];
    });
}

/** A new group of version 1 has no processors, and takes no process before it is given some. */
async function inheritProcessors(folder: string): Promise<void> {
  for (const name of ["cpuset.cpus", "cpuset.mems"]) {
    const file = join(folder, name);
    if (existsSync(file) && readFileSync(file, "utf8").trim() === "")
      await writeFile(file, readFileSync(join(folder, "..", name)));
  }
}

async function giveControllers(folder: string): Promise<void> {
  const control = join(folder, "cgroup.subtree_control");
  const controllers = readFileSync(join(folder, "cgroup.controllers"), "utf8").trim();
  if (controllers === "" || !existsSync(control)) return;
  await writeFile(
    control,
    controllers
      .split(" ")
      .map((name) => `+${name}`)
      .join(" "),
  );
}

function processesBelow(folder: string): readonly number[] {
  if (!existsSync(folder)) return [];
  const own = readFileSync(join(folder, "cgroup.procs"), "utf8")
    .split("\n")
    .filter((line) => line !== "");
  return [...own.map(Number), ...foldersIn(folder).flatMap((name) => processesBelow(join(folder, name)))];
}

function foldersIn(folder: string): readonly string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name);
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

function removeTree(folder: string): void {
  if (!existsSync(folder)) return;
  for (const name of foldersIn(folder)) removeTree(join(folder, name));
  rmdirSync(folder);
}
