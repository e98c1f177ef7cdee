/** Two demos of one name would take each other's cluster down. */

import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { MeshError } from "@meltemi/runtime";

export interface HeldName extends Disposable {
  /** A demo of this name was killed: what it left is nobody's. */
  readonly orphaned: boolean;
}

/** Holds the name until disposed; throws CONFLICT when a living process does. What a killed one left is taken over. */
export function holdName(name: string, folder = "/run"): HeldName {
  const path = `${folder}/meltemi-demo-${name}.pid`;
  // Once more after a stale file was removed; a third time somebody else is quicker, and has the name.
  for (let attempt = 0; attempt < 2; attempt++) {
    try {
      writeFileSync(path, `${process.pid}\n`, { flag: "wx" });
      return { orphaned: attempt > 0, [Symbol.dispose]: () => rmSync(path, { force: true }) };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    }
    if (!isDemo(readText(path).trim())) rmSync(path, { force: true });
  }
  throw new MeshError(
    "CONFLICT",
    `a demo with the cluster name ${name} runs already (process ${readText(path).trim()}): wait for it, or choose another --name`,
  );
}

/** A process number is given again: what runs under it must look like a demo. */
function isDemo(pid: string): boolean {
  return /^\d+$/.test(pid) && readText(`/proc/${pid}/cmdline`).split("\0").includes("demo");
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
