/**
 * The cables of the cluster: a bridge inside the machine of the control plane, a cable from it to every node and one to the host. The host
 * has one interface more and no route but to the bridge: its own networks and firewalls have no part in it.
 */

import { initOf } from "./machine.ts";
import { runProgram } from "./run-program.ts";

/** Seldom used by anybody: also not by the local cluster. */
export const ADDRESSES = {
  host: "10.241.0.1",
  controlPlane: "10.241.0.10",
  nodePrefix: "10.241.0.",
  prefixLength: 24,
} as const;
const HOST_INTERFACE = "meltemi-k8s";
const BRIDGE = "nodes";

export interface NodeNetwork {
  readonly name: string;
  readonly address: string;
  /** Of its pods. */
  readonly podRange: string;
}

/** The `index`th node, from 1. */
export function nodeNetwork(index: number): NodeNetwork {
  return {
    name: `node${index}`,
    address: `${ADDRESSES.nodePrefix}${10 + index}`,
    podRange: `10.244.${index}.0/24`,
  };
}

/** After the control plane's machine was booted. */
export async function connectControlPlane(name: string, nodes: readonly NodeNetwork[]): Promise<void> {
  const init = initOf(name);
  await removeHostInterface();
  await runProgram("ip", words(`link add ${HOST_INTERFACE} type veth peer name host netns ${init}`));
  await runProgram("ip", words(`addr add ${ADDRESSES.host}/${ADDRESSES.prefixLength} dev ${HOST_INTERFACE}`));
  await runProgram("ip", words(`link set ${HOST_INTERFACE} up`));
  const inside = [
    `link add ${BRIDGE} type bridge`,
    `addr add ${ADDRESSES.controlPlane}/${ADDRESSES.prefixLength} dev ${BRIDGE}`,
    `link set host master ${BRIDGE} up`,
    `link set ${BRIDGE} up`,
    ...nodes.map(({ address, podRange }) => `route add ${podRange} via ${address}`),
  ];
  for (const line of inside) await ipInside(name, line);
}

/** After the node was booted, each time: a reboot takes its interfaces away. */
export async function connectNode(
  controlPlane: string,
  node: NodeNetwork,
  nodes: readonly NodeNetwork[],
): Promise<void> {
  const init = initOf(node.name);
  await ipInside(controlPlane, `link add ${node.name} type veth peer name eth0 netns ${init}`);
  await ipInside(controlPlane, `link set ${node.name} master ${BRIDGE} up`);
  const others = nodes.filter(({ name }) => name !== node.name);
  const inside = [
    `addr add ${node.address}/${ADDRESSES.prefixLength} dev eth0`,
    "link set eth0 up",
    `route add default via ${ADDRESSES.host}`,
    ...others.map(({ address, podRange }) => `route add ${podRange} via ${address}`),
  ];
  for (const line of inside) await ipInside(node.name, line);
}

/** Also what a killed run left: with the host's end goes the whole cable. */
export async function removeHostInterface(): Promise<void> {
  const links = await runProgram("ip", ["-o", "link", "show", "type", "veth"]);
  if (links.includes(` ${HOST_INTERFACE}@`)) await runProgram("ip", words(`link delete ${HOST_INTERFACE}`));
}

/** By the host's `ip`, in the machine's network alone: process ids in it are the host's. */
async function ipInside(machine: string, line: string): Promise<void> {
  const init = initOf(machine);
  if (init === undefined) throw new Error(`ip ${line} in ${machine}: the machine is off`);
  await runProgram("nsenter", ["--target", String(init), "--net", "--", "ip", ...words(line)]);
}

const words = (line: string): readonly string[] => line.split(" ");
