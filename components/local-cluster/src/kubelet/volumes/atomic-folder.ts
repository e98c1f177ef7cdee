/**
 * A folder whose files change together, as the kubelet publishes ConfigMaps, Secrets and tokens: each version is a folder of its own,
 * `..data` is a link to the current one, and the visible names are links through `..data`. A reader never sees half an update.
 */

import { randomBytes } from "node:crypto";
import {
  chmod,
  chown,
  mkdir,
  readdir,
  readFile,
  readlink,
  rename,
  rm,
  symlink,
  writeFile,
} from "node:fs/promises";
import { dirname, join, normalize } from "node:path";
import { MeshError } from "@meltemi/runtime";

export interface PublishedFile {
  readonly content: Buffer;
  readonly mode: number;
}

const DATA = "..data";

/** Publishes `files` (by relative path). Does nothing when they are there already. `groupId` is the pod's fsGroup. */
export async function publishFiles(
  folder: string,
  files: ReadonlyMap<string, PublishedFile>,
  groupId?: number,
): Promise<void> {
  for (const path of files.keys()) checkRelative(path);
  await mkdir(folder, { recursive: true, mode: 0o755 });
  const old = await readlink(join(folder, DATA)).catch(() => undefined);
  if (old !== undefined && (await isSame(join(folder, old), files))) return;
  const version = `..${new Date().toISOString().replaceAll(/[-:T]/g, "_").slice(0, 19)}.${randomBytes(4).toString("hex")}`;
  await writeVersion(join(folder, version), files, groupId);
  // A crash may have left it.
  await rm(join(folder, `${DATA}_tmp`), { force: true });
  await symlink(version, join(folder, `${DATA}_tmp`));
  await rename(join(folder, `${DATA}_tmp`), join(folder, DATA));
  await linkNames(folder, files);
  for (const name of await readdir(folder))
    if (isVersion(name) && name !== version) await rm(join(folder, name), { recursive: true, force: true });
}

function isVersion(name: string): boolean {
  return name.startsWith("..") && !name.startsWith(DATA);
}

async function writeVersion(
  folder: string,
  files: ReadonlyMap<string, PublishedFile>,
  groupId: number | undefined,
): Promise<void> {
  await mkdir(folder, { mode: 0o755 });
  for (const [path, file] of files) {
    const target = join(folder, path);
    await mkdir(dirname(target), { recursive: true });
    await writeFile(target, file.content, { mode: file.mode });
    // The process's umask may have cut the mode, and a group must be able to read what is given to it.
    await chmod(target, groupId === undefined ? file.mode : file.mode | 0o040);
    if (groupId !== undefined) await chown(target, 0, groupId);
  }
}

async function linkNames(folder: string, files: ReadonlyMap<string, PublishedFile>): Promise<void> {
  const wanted = new Set([...files.keys()].map((path) => path.split("/")[0] ?? path));
  for (const name of await readdir(folder))
    if (!name.startsWith("..") && !wanted.has(name)) await rm(join(folder, name), { force: true });
  for (const name of wanted)
    await symlink(join(DATA, name), join(folder, name)).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "EEXIST") throw error;
    });
}

async function isSame(folder: string, files: ReadonlyMap<string, PublishedFile>): Promise<boolean> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  if (entries.filter((entry) => entry.isFile()).length !== files.size) return false;
  for (const [path, file] of files) {
    const content = await readFile(join(folder, path)).catch(() => undefined);
    if (content === undefined || !content.equals(file.content)) return false;
  }
  return true;
}

/** Paths come from pod specs and object keys: nothing may climb out, or pose as one of ours. */
function checkRelative(path: string): void {
  const clean = normalize(path);
  if (path === "" || clean !== path || path.startsWith("/") || path.startsWith(".."))
    throw new MeshError(
      "INPUT_INVALID",
      `volume file ${JSON.stringify(path)}: expected a relative path without ".."`,
    );
}
