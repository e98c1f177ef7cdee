/** Under which address a captured client is known. Pure. */

import { isIpv6, isLoopback, type SocketAddress, type Workload } from "@meltemi/model";

/**
 * eBPF capture leads a connection over loopback. Where the client's socket could not keep the pod's address, as when the application
 * bound it otherwise, it comes from a loopback one; logs, headers and the pool know the client by the pod's address all the same.
 */
export function clientAddress(
  accepted: SocketAddress,
  source: Workload,
  destination: SocketAddress,
): SocketAddress {
  if (!isLoopback(accepted.ip) || isLoopback(destination.ip)) return accepted;
  const own = source.addresses.find((address) => isIpv6(address) === isIpv6(destination.ip));
  return own === undefined ? accepted : { ip: own, port: accepted.port };
}
