/** One build at a time: two suites that start together must not write into one cache. */

import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";

const LOOK_EVERY_MS = 500;
/** A first build on a slow machine with two cores takes under an hour. */
const WAIT_MS = 3_600_000;

/** Resolves with the way to let go. A lock whose process is gone is nobody's. */
export async function takeBuildLock(path: string, onWait: () => void): Promise<() => void> {
  const untilMs = performance.now() + WAIT_MS;
  for (let told = false; ; told = true) {
    if (tryTake(path)) return () => rmSync(path, { force: true });
    if (ownerIsGone(path)) rmSync(path, { force: true });
    else if (performance.now() > untilMs)
      throw new Error(`take the build lock ${path}: somebody holds it for an hour`);
    else if (!told) onWait();
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  }
}

function tryTake(path: string): boolean {
  try {
    writeFileSync(path, String(process.pid), { flag: "wx" });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}

function ownerIsGone(path: string): boolean {
  try {
    const pid = Number(readFileSync(path, "utf8"));
    // Made, and not written yet.
    return pid !== 0 && !existsSync(`/proc/${pid}`);
  } catch {
    return false;
  }
}
