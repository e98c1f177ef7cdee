/** What is built once per machine: `~/.cache/meltemi/kubernetes/<version>`. Deleting the folder costs a new build and nothing else. */

import { homedir } from "node:os";
import { join } from "node:path";
import type { ProgramPaths } from "./control-plane.ts";
import { KUBERNETES_VERSION } from "./versions.ts";

export interface Cache extends ProgramPaths {
  readonly folder: string;
  /** apt's own lists and downloads, beside the machine's. */
  readonly apt: string;
  /** Go and what it builds with, unpacked; needed for building alone. */
  readonly toolchain: string;
  /** Programs of a node, unpacked as `/usr` has them. */
  readonly node: string;
  /** GOPATH: `src/k8s.io/kubernetes`. */
  readonly go: string;
  readonly goBuild: string;
  readonly bin: string;
  /** Which steps are done, with what. */
  readonly manifest: string;
}

/** `XDG_CACHE_HOME` or `~/.cache`. */
export function openCache(base: string = process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache")): Cache {
  const folder = join(base, "meltemi/kubernetes", KUBERNETES_VERSION);
  const bin = join(folder, "bin");
  const node = join(folder, "node");
  return {
    folder,
    apt: join(folder, "apt"),
    toolchain: join(folder, "toolchain"),
    node,
    go: join(folder, "go"),
    goBuild: join(folder, "gocache"),
    bin,
    manifest: join(folder, "manifest.json"),
    program: (name) => join(bin, name),
    debian: (path) => join(node, path),
  };
}
