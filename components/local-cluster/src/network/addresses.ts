/**
 * The address plan of a local cluster. Everything lives in network namespaces of its own, so two clusters
 * of different names may use the same addresses.
 */

import { MeshError } from "@meltemi/runtime";

/** The bridge that joins the nodes. The API server and the cluster DNS listen on its address. */
export const FABRIC = {
  v4: "10.240.0.1",
  v4PrefixLength: 24,
  v6: "fd00:10:240::1",
  v6PrefixLength: 64,
} as const;

export const SERVICE_RANGES = { v4: "10.96.0.0/16", v6: "fd00:10:96::/112" } as const;

/** ClusterIP of `kube-system/kube-dns`, written into the resolv.conf of pods. */
export const DNS_SERVICE_ADDRESS = "10.96.0.10";

/** ClusterIP of `default/kubernetes`. */
export const API_SERVICE_ADDRESS = "10.96.0.1";

/** Port of the API server inside the fabric. */
export const FABRIC_API_PORT = 6443;

export const CLUSTER_DOMAIN = "cluster.local";

/** The plan gives node N the pod subnet 10.244.N.0/24; one machine runs out of other things long before 50. */
export const MAX_NODES = 50;

/** Host parts handed out to pods: 1 is the gateway, 255 is left alone. */
const FIRST_POD_OFFSET = 2;
const LAST_POD_OFFSET = 254;
export const MAX_PODS_PER_NODE: number = LAST_POD_OFFSET - FIRST_POD_OFFSET + 1;

export interface Addresses {
  readonly v4: string;
  readonly v6: string;
}

export interface NodePlan {
  /** From 1. */
  readonly index: number;
  readonly name: string;
  /** The node's own addresses on the fabric. */
  readonly address: Addresses;
  readonly podSubnet: Addresses;
  /** The next hop of the node's pods: an address of the node inside the pod subnet. */
  readonly gatewayV4: string;
}

/** A name without dashes: the names of namespaces are `mlt-<cluster>-…`, and no cluster's prefix may be another's. */
export function parseClusterName(text: string): string {
  if (/^[a-z][a-z0-9]{0,11}$/.test(text)) return text;
  throw new MeshError(
    "INPUT_INVALID",
    `cluster name ${JSON.stringify(text)}: expected 1 to 12 lower-case letters and digits, a letter first`,
  );
}

export function planNode(index: number): NodePlan {
  if (!Number.isInteger(index) || index < 1 || index > MAX_NODES)
    throw new MeshError("INPUT_INVALID", `node number ${index}: expected 1 to ${MAX_NODES}`);
  const host = 10 + index;
  return {
    index,
    name: `node-${index}`,
    address: { v4: `10.240.0.${host}`, v6: `fd00:10:240::${host.toString(16)}` },
    podSubnet: { v4: `10.244.${index}.0/24`, v6: `fd00:10:244:${index.toString(16)}::/64` },
    gatewayV4: `10.244.${index}.1`,
  };
}

export function planNodes(count: number): readonly NodePlan[] {
  return Array.from({ length: count }, (_, index) => planNode(index + 1));
}

/** Addresses of the pod at `offset` in the node's subnets. */
export function podAddresses(node: NodePlan, offset: number): Addresses {
  return {
    v4: `10.244.${node.index}.${offset}`,
    v6: `fd00:10:244:${node.index.toString(16)}::${offset.toString(16)}`,
  };
}

/** Offset of a pod address of this node, or undefined when it is not one. */
export function podOffset(node: NodePlan, v4: string): number | undefined {
  const prefix = `10.244.${node.index}.`;
  if (!v4.startsWith(prefix)) return undefined;
  const offset = Number(v4.slice(prefix.length));
  const inRange = Number.isInteger(offset) && offset >= FIRST_POD_OFFSET && offset <= LAST_POD_OFFSET;
  return inRange ? offset : undefined;
}

/** Prefix of every network namespace of a cluster. */
export function namespacePrefix(cluster: string): string {
  return `mlt-${cluster}-`;
}

export function fabricNamespace(cluster: string): string {
  return `${namespacePrefix(cluster)}fabric`;
}

export function nodeNamespace(cluster: string, node: string): string {
  return `${namespacePrefix(cluster)}${node}`;
}

/** `shortUid` is {@link shortPodUid}. */
export function podNamespace(cluster: string, node: string, shortUid: string): string {
  return `${nodeNamespace(cluster, node)}-${shortUid}`;
}

/** Ten hex digits of a pod's uid: with a letter before them they fit into an interface name (15 bytes). */
export function shortPodUid(uid: string): string {
  return uid.replaceAll("-", "").slice(0, 10);
}

/** Hands out host parts of a node's pod subnet, the longest unused first, so that a fresh pod does not inherit a dead one's peers. */
export interface AddressPool {
  /** Throws LIMIT_EXCEEDED when the subnet is full. */
  take(): number;
  /** Marks an offset as used; false when it was already. */
  claim(offset: number): boolean;
  release(offset: number): void;
}

export function createAddressPool(): AddressPool {
  const free = new Set<number>();
  for (let offset = FIRST_POD_OFFSET; offset <= LAST_POD_OFFSET; offset++) free.add(offset);
  return {
    take() {
      const [offset] = free;
      if (offset === undefined)
        throw new MeshError(
          "LIMIT_EXCEEDED",
          `the node's pod subnet is full: ${MAX_PODS_PER_NODE} pods run on it`,
        );
      free.delete(offset);
      return offset;
    },
    claim: (offset) => free.delete(offset),
    release(offset) {
      if (offset >= FIRST_POD_OFFSET && offset <= LAST_POD_OFFSET) free.add(offset);
    },
  };
}
