/** Whether there is room for a cluster's state. */

import { statfs } from "node:fs/promises";
import { dirname } from "node:path";
import { describeError } from "@meltemi/runtime";

/** An empty cluster takes 5 MiB; its first pods' logs and layers some tens more. */
const NEEDED_BYTES = 64 * 1024 * 1024;
/** Below this nothing can be written down any more, not even why. */
const FULL_BYTES = 256 * 1024;

/** A sentence when a cluster could not live in this folder, which need not be there yet. */
export async function spaceFault(folder: string): Promise<string | undefined> {
  const free = await freeBytes(folder);
  if (free === undefined || free >= NEEDED_BYTES) return undefined;
  const mib = (bytes: number): string => `${Math.floor(bytes / 1024 / 1024)} MiB`;
  return `the disk of ${folder} has ${mib(free)} left, a cluster needs at least ${mib(NEEDED_BYTES)}: free some, or choose another --state`;
}

/** Whether `error`, or the disk as it is now, says that there is no room left. */
export async function isFull(folder: string, error: unknown): Promise<boolean> {
  if (/ENOSPC|EDQUOT|no space|disk is full/i.test(describeError(error))) return true;
  return ((await freeBytes(folder)) ?? FULL_BYTES) < FULL_BYTES;
}

/** Of the nearest folder that is there; undefined when that cannot be told. */
async function freeBytes(folder: string): Promise<number | undefined> {
  try {
    const { bavail, bsize } = await statfs(folder);
    return bavail * bsize;
  } catch {
    return dirname(folder) === folder ? undefined : await freeBytes(dirname(folder));
  }
}
