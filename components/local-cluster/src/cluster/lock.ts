/** One `up` or `down` of a cluster at a time: a second one would take away what the first has just made. */

import { link, mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { MeshError } from "@meltemi/runtime";
import { identifyProcess, isRunning, type ProcessIdentity } from "../kubelet/container/process-identity.ts";

/** Emptied by a reboot, as process numbers are; and by name, because clusters of one name share the machine whatever their folder. */
export const LOCK_FOLDER = "/run/meltemi";

const DOING = { up: "brought up", down: "taken down" } as const;
type Verb = keyof typeof DOING;

interface Owner extends ProcessIdentity {
  readonly verb: Verb;
}

/** A lock that a dead process left is moved away and taken; more rounds than this mean that others do so all the time. */
const ROUNDS = 5;

/** Does the work while holding the lock. Throws CONFLICT naming the process that holds it. */
export async function withClusterLock<T>(
  folder: string,
  name: string,
  verb: Verb,
  work: () => Promise<T>,
): Promise<T> {
  const path = join(folder, `${name}.lock`);
  const own = await acquire(folder, path, name, verb);
  try {
    return await work();
  } finally {
    if (isSame(await readOwner(path), own)) await rm(path, { force: true });
  }
}

async function acquire(folder: string, path: string, name: string, verb: Verb): Promise<Owner> {
  const self = identifyProcess(process.pid) ?? { pid: process.pid, startTicks: 0 };
  const own = { ...self, verb };
  await mkdir(folder, { recursive: true, mode: 0o755 });
  const ready = `${path}.${process.pid}`;
  await writeFile(ready, JSON.stringify(own), { mode: 0o600 });
  try {
    for (let round = 0; round < ROUNDS; round++) {
      // A link appears with its content, and not at all where there is one.
      if (await linked(ready, path)) return own;
      const owner = await readOwner(path);
      if (owner !== undefined && isRunning(owner))
        throw new MeshError(
          "CONFLICT",
          `cluster ${name} is being ${DOING[owner.verb]} by process ${owner.pid}: wait for it, or end it first`,
        );
      await removeStale(path, owner);
    }
  } finally {
    await rm(ready, { force: true });
  }
  throw new MeshError("CONFLICT", `cluster ${name}: others take its lock ${path} all the time`);
}

async function linked(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}

/** Moved aside and looked at again: another process may have taken it over in between, and keeps it then. */
async function removeStale(path: string, stale: Owner | undefined): Promise<void> {
  const aside = `${path}.${process.pid}.old`;
  try {
    await rename(path, aside);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return;
    throw error;
  }
  const moved = await readOwner(aside);
  if (moved !== undefined && !isSame(moved, stale)) await linked(aside, path);
  await rm(aside, { force: true });
}

async function readOwner(path: string): Promise<Owner | undefined> {
  try {
    const { pid, startTicks, verb } = JSON.parse(await readFile(path, "utf8")) as Partial<Owner>;
    if (typeof pid !== "number" || typeof startTicks !== "number") return undefined;
    return { pid, startTicks, verb: verb === "down" ? "down" : "up" };
  } catch {
    // Gone meanwhile, or cut off by a full disk: as good as none.
    return undefined;
  }
}

function isSame(a: Owner | undefined, b: Owner | undefined): boolean {
  return a?.pid === b?.pid && a?.startTicks === b?.startTicks;
}
