/**
 * hostPath volumes. A node shares the machine with its fellow nodes, so what is a node's own is a folder of the cluster's state:
 * /var, /run, /etc/cni and /opt/cni. Everything else is the machine's. /sys/fs/bpf is a folder of the node in the machine's bpffs.
 */

import { lstat, mkdir, stat, writeFile } from "node:fs/promises";
import { dirname, join, normalize } from "node:path";
import { MeshError } from "@meltemi/runtime";

export interface NodeFolders {
  /** Stands for the node's own folders: `<fs>/var`, `<fs>/run`, `<fs>/etc/cni`, `<fs>/opt/cni`. */
  readonly fileSystem: string;
  /** The node's folder in the bpffs. */
  readonly bpf: string;
}

/** Folders of a node that the machine lends: namespaces are the machine's, whoever made them. */
const MACHINE_FOLDERS = ["/run/netns"];
/** Folders that every node has for itself. */
export const NODE_FOLDERS: readonly string[] = ["/var", "/run", "/etc/cni", "/opt/cni"];
const BPF_FOLDER = "/sys/fs/bpf";

/** Path on the machine of a path on the node. Pure. */
export function machinePath(folders: NodeFolders, nodePath: string): string {
  const path = canonical(nodePath);
  if (MACHINE_FOLDERS.some((folder) => isWithin(path, folder))) return path;
  if (isWithin(path, BPF_FOLDER)) return join(folders.bpf, path.slice(BPF_FOLDER.length));
  if (NODE_FOLDERS.some((folder) => isWithin(path, folder))) return join(folders.fileSystem, path);
  return path;
}

/** /var/run is /run on every node. */
function canonical(path: string): string {
  const clean = normalize(path).replace(/(.)\/$/, "$1");
  return isWithin(clean, "/var/run") ? clean.slice("/var".length) : clean;
}

function isWithin(path: string, folder: string): boolean {
  return path === folder || path.startsWith(`${folder}/`);
}

type HostPathType =
  | ""
  | "DirectoryOrCreate"
  | "Directory"
  | "FileOrCreate"
  | "File"
  | "Socket"
  | "CharDevice"
  | "BlockDevice";

/** Checks (or makes) what the volume asks for. Throws NOT_FOUND as the kubelet's `hostPath type check failed`. */
export async function prepareHostPath(path: string, type: HostPathType | string): Promise<void> {
  if (type === "DirectoryOrCreate") await mkdir(path, { recursive: true, mode: 0o755 });
  if (type === "FileOrCreate") {
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, "", { flag: "a", mode: 0o644 });
  }
  const found = await stat(path).catch(() => undefined);
  if (type === "") {
    // No check was asked for, but a bind mount needs something to bind: a folder, as container runtimes make it.
    if (found === undefined && (await lstat(path).catch(() => undefined)) === undefined)
      await mkdir(path, { recursive: true, mode: 0o755 });
    return;
  }
  const right = found !== undefined && isType(found, type);
  if (!right) throw new MeshError("NOT_FOUND", `hostPath type check failed: ${path} is not a ${type}`);
}

function isType(found: Awaited<ReturnType<typeof stat>>, type: string): boolean {
  switch (type) {
    case "DirectoryOrCreate":
    case "Directory":
      return found.isDirectory();
    case "FileOrCreate":
    case "File":
      return found.isFile();
    case "Socket":
      return found.isSocket();
    case "CharDevice":
      return found.isCharacterDevice();
    case "BlockDevice":
      return found.isBlockDevice();
    default:
      return false;
  }
}
