/** Addresses as proof that a network namespace is a certain pod's: a path or a control group may lead to another one. */

import { networkInterfaces } from "node:os";
import { type NetworkNamespace, withNetworkNamespace } from "@meltemi/linux";

/** Addresses of the namespace's interfaces, without loopback's and those of a link. KERNEL when it cannot be entered. */
export type ReadAddresses = (netns: NetworkNamespace) => readonly string[];

export const addressesIn: ReadAddresses = (netns) =>
  withNetworkNamespace(netns, () => Object.values(networkInterfaces()))
    .flatMap((each) => each ?? [])
    .filter(({ internal, address }) => !internal && !isLinkLocal(address))
    .map(({ address }) => address);

/**
 * One is enough: a pod of two families may have got its second address later, and nobody else has the first. Processes of a pod may
 * have made namespaces of their own (a container engine inside a pod), and those have none of the pod's addresses.
 */
export function isNamespaceOf(addresses: readonly string[], inside: readonly string[]): boolean {
  return addresses.some((address) => inside.includes(address));
}

function isLinkLocal(address: string): boolean {
  return /^(169\.254\.|fe[89ab])/i.test(address);
}
