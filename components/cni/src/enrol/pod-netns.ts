/**
 * Finds the network namespace of a running pod: by its processes' control groups, whose path has the pod's uid, and then by the pod's
 * addresses, which only that namespace has.
 */

import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { type NetworkNamespace, openNetworkNamespace, sameNetworkNamespace } from "@meltemi/linux";
import { isNamespaceOf, type ReadAddresses } from "./pod-addresses.ts";

/** A cgroup file is a line per hierarchy; more is not one. */
const MAX_CGROUP_BYTES = 64 * 1024;
/** The pod's group, and below it the container's: what sits in the pod's own group may be the runtime's. */
const POD_UID =
  /pod([0-9a-f]{8}[-_][0-9a-f]{4}[-_][0-9a-f]{4}[-_][0-9a-f]{4}[-_][0-9a-f]{12}|[0-9a-f]{32})(?:\.slice)?\/[^\n]/;

/**
 * Uid of the pod that a container's process belongs to, from its `/proc/<pid>/cgroup`. systemd writes the dashes as underscores;
 * static pods have 32 digits without dashes.
 */
export function podUidOf(cgroup: string): string | undefined {
  if (cgroup.length > MAX_CGROUP_BYTES) return undefined;
  return POD_UID.exec(cgroup)?.[1]?.replaceAll("_", "-");
}

/** When a process was started, in ticks, from its `/proc/<pid>/stat` (proc(5), field 22). The name before it may hold anything. */
export function startTimeOf(stat: string): string | undefined {
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const ticks = fields[19];
  return ticks !== undefined && /^\d+$/.test(ticks) ? ticks : undefined;
}

/** A path to a namespace that is none of the node's own; undefined when it is, or cannot be opened. */
export type OpenPodNamespace = (path: string) => NetworkNamespace | undefined;

export function podNamespaceOpener(nodeNamespaces: readonly NetworkNamespace[]): OpenPodNamespace {
  return (path) => {
    let netns: NetworkNamespace;
    try {
      netns = openNetworkNamespace(path);
    } catch {
      // Gone with its last process, most often.
      return undefined;
    }
    if (!nodeNamespaces.some((own) => sameNetworkNamespace(own, netns))) return netns;
    netns.close();
    return undefined;
  };
}

export interface NamespaceFinder {
  /**
   * The pod's namespace, opened; the caller closes it. Undefined while the pod has no process in a namespace that has one of its addresses.
   */
  find(uid: string, addresses: readonly string[]): Promise<NetworkNamespace | undefined>;
}

export interface NamespaceFinderDependencies {
  readonly open: OpenPodNamespace;
  readonly addressesIn: ReadAddresses;
}

interface Wanted extends PromiseWithResolvers<NetworkNamespace | undefined> {
  readonly addresses: readonly string[];
}

/** Callers that come while processes are being read share the next reading: a namespace that joins the mesh is one scan, or two. */
export function createNamespaceFinder(
  procFolder: string,
  deps: NamespaceFinderDependencies,
): NamespaceFinder {
  let waiting = new Map<string, Wanted>();
  let running = false;
  const run = async (): Promise<void> => {
    running = true;
    while (waiting.size > 0) {
      const asked = waiting;
      waiting = new Map();
      try {
        const found = await findPodNamespaces(procFolder, asked, deps);
        for (const [uid, answer] of asked) answer.resolve(found.get(uid));
      } catch (error) {
        for (const answer of asked.values()) answer.reject(error);
      }
    }
    running = false;
  };
  return {
    find(uid, addresses) {
      // One caller per pod at a time: the enroller sees to it, so that a handle has one owner.
      const answer = waiting.get(uid) ?? {
        addresses,
        ...Promise.withResolvers<NetworkNamespace | undefined>(),
      };
      waiting.set(uid, answer);
      if (!running) void Promise.resolve().then(() => (running ? undefined : run()));
      return answer.promise;
    },
  };
}

async function findPodNamespaces(
  procFolder: string,
  wanted: ReadonlyMap<string, Wanted>,
  deps: NamespaceFinderDependencies,
): Promise<ReadonlyMap<string, NetworkNamespace>> {
  const found = new Map<string, NetworkNamespace>();
  for (const pid of await readdir(procFolder)) {
    if (!/^\d+$/.test(pid)) continue;
    const process = join(procFolder, pid);
    const uid = podUidOf(await readIfThere(join(process, "cgroup")));
    const pod = uid === undefined ? undefined : wanted.get(uid);
    if (uid === undefined || pod === undefined || found.has(uid)) continue;
    const netns = await namespaceOf(process, uid, deps.open);
    if (netns === undefined) continue;
    if (isPods(netns, pod, deps)) found.set(uid, netns);
    else netns.close();
  }
  return found;
}

function isPods(netns: NetworkNamespace, pod: Wanted, { addressesIn }: NamespaceFinderDependencies): boolean {
  try {
    return isNamespaceOf(pod.addresses, addressesIn(netns));
  } catch (error) {
    netns.close();
    throw error;
  }
}

/** The same process before and after, by its start time: a number may be given to another process meanwhile. */
async function namespaceOf(
  process: string,
  uid: string,
  open: OpenPodNamespace,
): Promise<NetworkNamespace | undefined> {
  const before = startTimeOf(await readIfThere(join(process, "stat")));
  const isPods = podUidOf(await readIfThere(join(process, "cgroup"))) === uid;
  const netns = open(join(process, "ns/net"));
  const after = startTimeOf(await readIfThere(join(process, "stat")));
  if (before !== undefined && before === after && isPods) return netns;
  netns?.close();
  return undefined;
}

/** Processes end while they are looked at. */
function readIfThere(path: string): Promise<string> {
  return readFile(path, "utf8").catch(() => "");
}
