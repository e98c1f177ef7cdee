/** The files of the locked Debian packages: from the cache, or downloaded into it. */

import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readdir, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { openApt } from "./apt.ts";
import type { FileTree } from "./file-tree.ts";
import type { LockedPackage, PackagesLock } from "./packages-lock.ts";
import { readTar } from "./tar.ts";

const run = promisify(execFile);
/** The largest, libc6, has 13 MB. */
const MAX_UNPACKED_BYTES = 256 * 1024 * 1024;

export interface DebianPackage {
  readonly name: string;
  readonly version: string;
  readonly sha256: string;
  readonly files: FileTree;
  /** Its stanza of Debian's package database. */
  readonly control: string;
}

export interface DebianOptions {
  readonly lock: PackagesLock;
  /** Debian's name. */
  readonly architecture: string;
  /** Holds every package ever needed, by its sum. */
  readonly cacheFolder: string;
  /** Read the archive as it was when the lock was made. */
  readonly fromSnapshot: boolean;
}

export async function openDebianPackages(
  options: DebianOptions,
  say: (text: string) => void,
): Promise<readonly DebianPackage[]> {
  const wanted = Object.entries(options.lock.packages).map(([name, entry]) => ({
    name,
    version: entry.version,
    sha256: sumOf(name, entry, options.architecture),
  }));
  const missing: typeof wanted = [];
  for (const entry of wanted)
    if ((await readVerified(join(options.cacheFolder, `${entry.sha256}.deb`), entry.sha256)) === undefined)
      missing.push(entry);
  if (missing.length > 0) {
    say(`downloading ${missing.length} Debian packages for ${options.architecture}`);
    await downloadPackages(missing, options);
  }
  return await Promise.all(
    wanted.map(async (entry) => {
      const path = join(options.cacheFolder, `${entry.sha256}.deb`);
      return { ...entry, files: await unpack(path), control: await readControl(path) };
    }),
  );
}

function sumOf(name: string, entry: LockedPackage, architecture: string): string {
  const sum = entry.sha256[architecture];
  if (sum === undefined)
    throw new Error(
      `packages.lock.json: ${name}: expected a sum for ${architecture}; make one with --update-lock`,
    );
  return sum;
}

async function downloadPackages(
  packages: readonly { name: string; version: string; sha256: string }[],
  { lock, architecture, cacheFolder, fromSnapshot }: DebianOptions,
): Promise<void> {
  await mkdir(cacheFolder, { recursive: true });
  const folder = await mkdtemp(join(cacheFolder, "download-"));
  try {
    const snapshot = fromSnapshot ? lock.snapshot : undefined;
    const apt = await openApt({ suite: lock.suite, architecture, snapshot }, folder);
    const target = join(folder, "packages");
    await apt.download(
      packages.map(({ name, version }) => `${name}=${version}`),
      target,
    );
    const files = await readdir(target);
    for (const { name, version, sha256 } of packages) {
      const file = join(target, files.find((entry) => entry.startsWith(`${name}_`)) ?? name);
      const sum = sha256Of(await readFile(file));
      if (sum !== sha256) throw new Error(`${name} ${version}: expected sha256 ${sha256}, got ${sum}`);
      await rename(file, join(cacheFolder, `${sha256}.deb`));
    }
  } catch (cause) {
    const text = cause instanceof Error ? cause.message : String(cause);
    const hint = /Version .* was not found/.test(text)
      ? "\nDebian's archive keeps only the newest version of a package: --snapshot takes the locked ones from snapshot.debian.org, " +
        "--update-lock takes the newest ones into the lock"
      : "";
    throw new Error(`download Debian packages: ${text}${hint}`, { cause });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function readVerified(path: string, sha256: string): Promise<Buffer | undefined> {
  const bytes = await readFile(path).catch(() => undefined);
  return bytes !== undefined && sha256Of(bytes) === sha256 ? bytes : undefined;
}

function sha256Of(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

async function readControl(path: string): Promise<string> {
  const { stdout } = await run("dpkg-deb", ["--field", path]);
  return stdout;
}

async function unpack(path: string): Promise<FileTree> {
  const { stdout } = await run("dpkg-deb", ["--fsys-tarfile", path], {
    encoding: "buffer",
    maxBuffer: MAX_UNPACKED_BYTES,
  });
  return readTar(stdout);
}
