/** Makes and removes the namespaces of `topology.ts`. Every function may be called again: what is there already is left as it is. */

import { access } from "node:fs/promises";
import {
  type Addresses,
  fabricNamespace,
  type NodePlan,
  namespacePrefix,
  nodeNamespace,
  podNamespace,
  shortPodUid,
} from "./addresses.ts";
import { runProgram, tryProgram } from "./run-program.ts";
import {
  FABRIC_SYSCTLS,
  fabricBatch,
  type IpBatch,
  NODE_SYSCTLS,
  nodeBatch,
  nodeLinkBatch,
  type PodLink,
  podBatch,
  podHostBatch,
  routesTo,
} from "./topology.ts";

/** Where `ip netns` keeps the files that stand for namespaces. */
const NAMESPACE_DIR = "/run/netns";

export function namespacePath(namespace: string): string {
  return `${NAMESPACE_DIR}/${namespace}`;
}

/** Makes the fabric and the nodes that are missing. A half-built network (killed on the way) is taken down first. */
export async function ensureClusterNetwork(cluster: string, nodes: readonly NodePlan[]): Promise<void> {
  const fabric = fabricNamespace(cluster);
  if (!(await isComplete(fabric))) {
    await removeNamespace(fabric);
    await runProgram("ip", ["netns", "add", fabric]);
    await setKernelSwitches(fabric, FABRIC_SYSCTLS);
    await runBatch(fabricBatch(fabric));
    await markComplete(fabric);
  }
  for (const node of nodes) await ensureNode(cluster, node, nodes);
  await runBatch({ namespace: fabric, lines: nodes.flatMap(routesTo) });
}

async function ensureNode(cluster: string, node: NodePlan, all: readonly NodePlan[]): Promise<void> {
  const namespace = nodeNamespace(cluster, node.name);
  if (await isComplete(namespace)) return;
  await removeNamespace(namespace);
  // The fabric's end of the old link may outlive the namespace for a moment.
  await tryProgram("ip", ["-n", fabricNamespace(cluster), "link", "delete", `port${node.index}`]);
  await runProgram("ip", ["netns", "add", namespace]);
  await setKernelSwitches(namespace, NODE_SYSCTLS);
  await runBatch(nodeLinkBatch(fabricNamespace(cluster), namespace, node));
  await runBatch(nodeBatch(namespace, node, all));
  await markComplete(namespace);
}

/** An interface alias on lo says that every command before it succeeded. */
const COMPLETE = "meltemi-complete";

async function isComplete(namespace: string): Promise<boolean> {
  if (!(await namespaceExists(namespace))) return false;
  const result = await tryProgram("ip", ["-n", namespace, "-j", "link", "show", "lo"]);
  return result.code === 0 && result.stdout.includes(COMPLETE);
}

async function markComplete(namespace: string): Promise<void> {
  await runProgram("ip", ["-n", namespace, "link", "set", "lo", "alias", COMPLETE]);
}

export interface PodNetwork {
  readonly namespace: string;
  readonly hostInterface: string;
  readonly address: Addresses;
}

/** Makes a pod's namespace and its link to the node. What a crashed attempt left behind is removed first. */
export async function createPodNetwork(
  cluster: string,
  node: NodePlan,
  uid: string,
  address: Addresses,
): Promise<PodNetwork> {
  const short = shortPodUid(uid);
  const link: PodLink = {
    podNamespace: podNamespace(cluster, node.name, short),
    nodeNamespace: nodeNamespace(cluster, node.name),
    hostInterface: `p${short}`,
    node,
    address,
  };
  if (await namespaceExists(link.podNamespace)) await removePodNetwork(cluster, node, uid);
  await runProgram("ip", ["netns", "add", link.podNamespace]);
  await runBatch(podHostBatch(link));
  await runBatch(podBatch(link));
  return { namespace: link.podNamespace, hostInterface: link.hostInterface, address };
}

/** Removes a pod's namespace and link, if they are there. */
export async function removePodNetwork(cluster: string, node: NodePlan, uid: string): Promise<void> {
  const short = shortPodUid(uid);
  // The link first: the namespace itself lives on while any process still holds it.
  await tryProgram("ip", ["-n", nodeNamespace(cluster, node.name), "link", "delete", `p${short}`]);
  await removeNamespace(podNamespace(cluster, node.name, short));
}

export async function namespaceExists(namespace: string): Promise<boolean> {
  return access(namespacePath(namespace)).then(
    () => true,
    () => false,
  );
}

export async function removeNamespace(namespace: string): Promise<void> {
  if (await namespaceExists(namespace)) await runProgram("ip", ["netns", "delete", namespace]);
}

/** Names of all namespaces of a cluster, the fabric's last: a node's link is a port of its bridge. */
export async function listNamespaces(cluster: string): Promise<readonly string[]> {
  const listing = await runProgram("ip", ["-j", "netns", "list"]);
  const all = listing.trim() === "" ? [] : (JSON.parse(listing) as readonly { readonly name: string }[]);
  const names = all.map(({ name }) => name).filter((name) => name.startsWith(namespacePrefix(cluster)));
  return names.sort((a, b) => b.length - a.length);
}

async function runBatch(batch: IpBatch): Promise<void> {
  await runProgram("ip", ["-n", batch.namespace, "-batch", "-"], { input: `${batch.lines.join("\n")}\n` });
}

async function setKernelSwitches(
  namespace: string,
  switches: Readonly<Record<string, string>>,
): Promise<void> {
  const assignments = Object.entries(switches).map(([name, value]) => `${name}=${value}`);
  await runProgram("ip", ["netns", "exec", namespace, "sysctl", "-q", "-w", ...assignments]);
}
