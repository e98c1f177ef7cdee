/** `npm run image -- --update-lock`: the newest versions of the image's Debian packages, for every platform. */

import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openApt } from "./apt.ts";
import { type LockedPackage, type PackagesLock, parsePackagesLock } from "./packages-lock.ts";
import { PLATFORMS } from "./platform.ts";

/** @param nowMs becomes the lock's snapshot. Returns the packages that changed, as `name old → new`. */
export async function updatePackagesLock(path: string, nowMs: number): Promise<readonly string[]> {
  const old = parsePackagesLock(await readFile(path, "utf8"));
  const names = Object.keys(old.packages).sort();
  const found = new Map<string, LockedPackage>();
  for (const { debian } of Object.values(PLATFORMS)) {
    const candidates = await readCandidates(old.suite, debian, names);
    for (const name of names) {
      const candidate = candidates.get(name);
      if (candidate === undefined)
        throw new Error(`update ${path}: Debian ${old.suite} has no ${name} for ${debian}`);
      const other = found.get(name);
      if (other !== undefined && other.version !== candidate.version)
        throw new Error(
          `update ${path}: ${name} is ${candidate.version} for ${debian} and ${other.version} elsewhere: try again when all are built`,
        );
      found.set(name, {
        version: candidate.version,
        sha256: { ...other?.sha256, [debian]: candidate.sha256 },
      });
    }
  }
  const snapshot = `${new Date(nowMs).toISOString().slice(0, 19).replaceAll(/[-:]/g, "")}Z`;
  const lock: PackagesLock = { suite: old.suite, snapshot, packages: Object.fromEntries(found) };
  await writeFile(path, `${JSON.stringify(lock, undefined, 2)}\n`);
  return names
    .filter((name) => old.packages[name]?.version !== found.get(name)?.version)
    .map((name) => `${name} ${old.packages[name]?.version} → ${found.get(name)?.version}`);
}

async function readCandidates(
  suite: string,
  architecture: string,
  names: readonly string[],
): ReturnType<Awaited<ReturnType<typeof openApt>>["candidates"]> {
  const folder = await mkdtemp(join(tmpdir(), "meltemi-apt-"));
  try {
    const apt = await openApt({ suite, architecture, snapshot: undefined }, folder);
    return await apt.candidates(names);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
