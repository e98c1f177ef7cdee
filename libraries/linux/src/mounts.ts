/** Mounted file systems the mesh needs: cgroup version 2, and the eBPF file system for pins. */

import { mkdirSync, readFileSync } from "node:fs";
import { checked } from "./failure.ts";
import { libc } from "./libc.ts";

export interface Mount {
  readonly path: string;
  readonly type: string;
  /** The part of the file system that is mounted there; `/` is the whole. */
  readonly root: string;
}

/** Reads `/proc/<pid>/mountinfo` (proc(5)); lines that are not of that form are passed over. */
export function parseMountInfo(text: string): readonly Mount[] {
  const mounts: Mount[] = [];
  for (const line of text.split("\n")) {
    const [before, after] = line.split(" - ");
    const root = before?.split(" ")[3];
    const path = before?.split(" ")[4];
    const type = after?.split(" ")[0];
    if (root === undefined || path === undefined || type === undefined) continue;
    mounts.push({ root: unescapeMount(root), path: unescapeMount(path), type });
  }
  return mounts;
}

/** Spaces and the like are written as three octal digits. */
function unescapeMount(text: string): string {
  return text.replaceAll(/\\([0-7]{3})/g, (_, octal: string) =>
    String.fromCharCode(Number.parseInt(octal, 8)),
  );
}

function currentMounts(): readonly Mount[] {
  return parseMountInfo(readFileSync("/proc/self/mountinfo", "utf8"));
}

/** Where the cgroup version 2 tree is mounted (`/sys/fs/cgroup`, on hybrid hosts `/sys/fs/cgroup/unified`), if it is. */
export function findCgroup2Mount(): string | undefined {
  const mounts = currentMounts().filter((mount) => mount.type === "cgroup2");
  return (mounts.find((mount) => mount.root === "/") ?? mounts[0])?.path;
}

/** Mounts the eBPF file system on `path` unless it (or a folder above it) already is one. */
export function ensureBpfFileSystem(path: string): void {
  const mounted = currentMounts().some(
    (mount) => mount.type === "bpf" && (path === mount.path || path.startsWith(`${mount.path}/`)),
  );
  if (mounted) return;
  mkdirSync(path, { recursive: true });
  checked("mount bpf file system on", libc.mount("bpf", path, "bpf", 0, null), path);
}
