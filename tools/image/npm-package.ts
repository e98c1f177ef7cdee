/** Files of an npm package exactly as the lockfile names it: installed here, or (for another architecture) fetched by npm. */

import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { gunzipSync } from "node:zlib";
import { type Entry, type FileTree, fileOf } from "./file-tree.ts";
import { readTar } from "./tar.ts";

const run = promisify(execFile);
/** Node has 190 MB. */
const MAX_UNPACKED_BYTES = 512 * 1024 * 1024;

export interface LockedNpmPackage {
  readonly version: string;
  /** Subresource integrity, `sha512-…`. */
  readonly integrity?: string;
  readonly license?: string;
}

/** By path in the lockfile, as `node_modules/koffi`. */
export type NpmLock = Readonly<Record<string, LockedNpmPackage>>;

export interface NpmSource {
  readonly projectFolder: string;
  readonly cacheFolder: string;
  readonly lock: NpmLock;
}

/** @param wants which of its files, by path in the package. @throws when the lockfile does not know it, or its bytes are others */
export async function openNpmPackage(
  source: NpmSource,
  name: string,
  wants: (path: string) => boolean,
): Promise<FileTree> {
  const locked = source.lock[`node_modules/${name}`];
  if (locked === undefined) throw new Error(`package-lock.json: expected ${name}`);
  const installed = join(source.projectFolder, "node_modules", name);
  if (existsSync(installed)) return await readInstalled(installed, name, locked, wants);
  const archive = gunzipSync(await fetchPackage(source, name, locked), {
    maxOutputLength: MAX_UNPACKED_BYTES,
  });
  const files = new Map<string, Entry>();
  for (const [path, entry] of readTar(archive)) {
    // The first folder of an npm archive is `package`.
    const inside = path.split("/").slice(1).join("/");
    if (entry.kind === "file" && wants(inside)) files.set(inside, entry);
  }
  return files;
}

async function readInstalled(
  folder: string,
  name: string,
  locked: LockedNpmPackage,
  wants: (path: string) => boolean,
): Promise<FileTree> {
  const { version } = JSON.parse(await readFile(join(folder, "package.json"), "utf8")) as { version: string };
  if (version !== locked.version)
    throw new Error(
      `node_modules/${name}: expected version ${locked.version} of the lockfile, got ${version}: npm ci`,
    );
  const files = new Map<string, Entry>();
  for (const path of await readdir(folder, { recursive: true })) {
    if (!wants(path)) continue;
    const found = await stat(join(folder, path));
    if (found.isFile()) files.set(path, fileOf(await readFile(join(folder, path))));
  }
  return files;
}

async function fetchPackage(source: NpmSource, name: string, locked: LockedNpmPackage): Promise<Buffer> {
  const integrity = locked.integrity ?? "";
  if (!integrity.startsWith("sha512-"))
    throw new Error(`package-lock.json: ${name}: expected a sha512 integrity`);
  const kept = join(
    source.cacheFolder,
    `${Buffer.from(integrity.slice(7), "base64").toString("hex").slice(0, 64)}.tgz`,
  );
  const bytes = await readFile(kept).catch(() => undefined);
  if (bytes !== undefined && integrityOf(bytes) === integrity) return bytes;
  await mkdir(source.cacheFolder, { recursive: true });
  const folder = await mkdtemp(join(source.cacheFolder, "download-"));
  try {
    await run("npm", ["pack", `${name}@${locked.version}`, "--loglevel=error"], { cwd: folder });
    const file = join(folder, (await readdir(folder))[0] ?? "");
    const packed = await readFile(file);
    if (integrityOf(packed) !== integrity)
      throw new Error(
        `npm pack ${name}@${locked.version}: expected ${integrity}, got ${integrityOf(packed)}`,
      );
    await rename(file, kept);
    return packed;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function integrityOf(bytes: Uint8Array): string {
  return `sha512-${createHash("sha512").update(bytes).digest("base64")}`;
}
