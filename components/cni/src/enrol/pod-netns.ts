/** Finds the network namespace of a running pod: by its processes' control groups, whose path has the pod's uid. */

import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { type NetworkNamespace, openNetworkNamespace, sameNetworkNamespace } from "@meltemi/linux";

/** A cgroup file is a line per hierarchy; more is not one. */
const MAX_CGROUP_BYTES = 64 * 1024;
const POD_UID =
  /pod([0-9a-f]{8}[-_][0-9a-f]{4}[-_][0-9a-f]{4}[-_][0-9a-f]{4}[-_][0-9a-f]{12}|[0-9a-f]{32})(?![0-9a-f])/;

/**
 * Uid of the pod that a process belongs to, from its `/proc/<pid>/cgroup`. systemd writes the dashes as underscores; static pods have
 * 32 digits without dashes.
 */
export function podUidOf(cgroup: string): string | undefined {
  if (cgroup.length > MAX_CGROUP_BYTES) return undefined;
  return POD_UID.exec(cgroup)?.[1]?.replaceAll("_", "-");
}

/**
 * Namespaces of the given pods, opened; the caller closes them. A pod all of whose processes run in the node's own namespace, or that
 * has none, is missing from the result. Processes that end while they are looked at are passed over.
 */
export async function findPodNamespaces(
  procFolder: string,
  uids: ReadonlySet<string>,
  nodeNetns: NetworkNamespace,
): Promise<ReadonlyMap<string, NetworkNamespace>> {
  const found = new Map<string, NetworkNamespace>();
  for (const entry of await readdir(procFolder)) {
    if (!/^\d+$/.test(entry)) continue;
    const uid = podUidOf(await readFile(join(procFolder, entry, "cgroup"), "utf8").catch(() => ""));
    if (uid === undefined || !uids.has(uid) || found.has(uid)) continue;
    const netns = openPodNamespace(join(procFolder, entry, "ns/net"), nodeNetns);
    if (netns !== undefined) found.set(uid, netns);
  }
  return found;
}

/** Undefined when it cannot be opened or is the node's own. */
export function openPodNamespace(path: string, nodeNetns: NetworkNamespace): NetworkNamespace | undefined {
  let netns: NetworkNamespace;
  try {
    netns = openNetworkNamespace(path);
  } catch {
    return undefined;
  }
  if (!sameNetworkNamespace(netns, nodeNetns)) return netns;
  netns.close();
  return undefined;
}
