/**
 * The commands that build the cluster's network: a fabric namespace with a bridge, a namespace per node joined to it,
 * a namespace per pod joined to its node. The host's own namespace gets no interface.
 *
 *     pod eth0 ── veth ── node ── eth0 ── veth ── fabric bridge ── veth ── eth0 ── node ── veth ── eth0 pod
 *
 * Pods are routed, not bridged: traffic between pods of one node stays in the node, traffic to another node crosses the fabric.
 * Each function gives the lines of one `ip -batch` run inside the namespace that it names.
 */

import { type Addresses, FABRIC, type NodePlan } from "./addresses.ts";

export interface IpBatch {
  readonly namespace: string;
  readonly lines: readonly string[];
}

const BRIDGE = "fabric0";

/** Commands for a fresh fabric namespace. */
export function fabricBatch(namespace: string): IpBatch {
  return {
    namespace,
    lines: [
      "link set lo up",
      `link add ${BRIDGE} type bridge mcast_snooping 0`,
      `address add ${FABRIC.v4}/${FABRIC.v4PrefixLength} dev ${BRIDGE}`,
      `address add ${FABRIC.v6}/${FABRIC.v6PrefixLength} dev ${BRIDGE} nodad`,
      `link set ${BRIDGE} up`,
    ],
  };
}

/** Commands in the fabric that create a node's link, its far end already in the node's namespace. */
export function nodeLinkBatch(fabric: string, nodeNamespace: string, node: NodePlan): IpBatch {
  const port = `port${node.index}`;
  return {
    namespace: fabric,
    lines: [
      `link add ${port} type veth peer name eth0 netns ${nodeNamespace}`,
      `link set ${port} master ${BRIDGE} up`,
    ],
  };
}

/** Commands inside a fresh node namespace, after its link exists. */
export function nodeBatch(namespace: string, node: NodePlan, all: readonly NodePlan[]): IpBatch {
  return {
    namespace,
    lines: [
      "link set lo up",
      // The pods' next hop. On lo: the kernel answers ARP for it on every pod link, and no link needs an address.
      `address add ${node.gatewayV4}/32 dev lo`,
      `address add ${node.address.v4}/${FABRIC.v4PrefixLength} dev eth0`,
      `address add ${node.address.v6}/${FABRIC.v6PrefixLength} dev eth0 nodad`,
      "link set eth0 up",
      `route add default via ${FABRIC.v4}`,
      `route add ::/0 via ${FABRIC.v6}`,
      // Addresses of this node that no pod has: refused at once instead of wandering between node and fabric.
      `route add unreachable ${node.podSubnet.v4} metric 4096`,
      `route add unreachable ${node.podSubnet.v6} metric 4096`,
      ...all.filter((other) => other.index !== node.index).flatMap(routesTo),
    ],
  };
}

/** How the fabric and the other nodes reach a node's pods. */
export function routesTo(node: NodePlan): readonly string[] {
  return [
    `route replace ${node.podSubnet.v4} via ${node.address.v4}`,
    `route replace ${node.podSubnet.v6} via ${node.address.v6}`,
  ];
}

/** The node's end of every pod link has this address: the pods' IPv6 next hop. */
const POD_GATEWAY_V6 = "fe80::1";

export interface PodLink {
  readonly podNamespace: string;
  readonly nodeNamespace: string;
  /** Name of the node's end. */
  readonly hostInterface: string;
  readonly node: NodePlan;
  readonly address: Addresses;
}

/** Commands in the node's namespace for one pod. The node reaches its pods with its own address, as status.hostIP says it. */
export function podHostBatch(link: PodLink): IpBatch {
  const { hostInterface, node, address } = link;
  return {
    namespace: link.nodeNamespace,
    lines: [
      `link add ${hostInterface} type veth peer name eth0 netns ${link.podNamespace}`,
      `link set ${hostInterface} addrgenmode none`,
      `address add ${POD_GATEWAY_V6}/64 dev ${hostInterface} nodad`,
      `link set ${hostInterface} up`,
      `route replace ${address.v4} dev ${hostInterface} scope link src ${node.address.v4}`,
      `route replace ${address.v6} dev ${hostInterface} src ${node.address.v6}`,
    ],
  };
}

/** Commands inside the pod's namespace. */
export function podBatch(link: PodLink): IpBatch {
  const { node, address } = link;
  return {
    namespace: link.podNamespace,
    lines: [
      "link set lo up",
      `address add ${address.v4}/32 dev eth0`,
      `address add ${address.v6}/128 dev eth0 nodad`,
      "link set eth0 up",
      `route add ${node.gatewayV4} dev eth0 scope link`,
      `route add default via ${node.gatewayV4} src ${address.v4}`,
      `route add ::/0 via ${POD_GATEWAY_V6} dev eth0 src ${address.v6}`,
    ],
  };
}

/** Kernel switches of a node: it forwards between its pods and the fabric. */
export const NODE_SYSCTLS: Readonly<Record<string, string>> = {
  // No second of waiting for duplicate addresses: the plan has none.
  "net/ipv6/conf/default/accept_dad": "0",
  "net/ipv4/ip_forward": "1",
  "net/ipv6/conf/all/forwarding": "1",
  // A pod's packet comes in by its own link and may leave by the same one (a service whose endpoint is the pod itself).
  "net/ipv4/conf/all/send_redirects": "0",
  "net/ipv4/conf/default/send_redirects": "0",
};

/** The fabric forwards for pods whose node has no better route (a node that joined later). */
export const FABRIC_SYSCTLS: Readonly<Record<string, string>> = {
  "net/ipv6/conf/default/accept_dad": "0",
  "net/ipv4/ip_forward": "1",
  "net/ipv6/conf/all/forwarding": "1",
};
