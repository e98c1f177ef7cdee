/** What metrics and logs say of an inbound connection on demand: who its peer is, and which service it means. */

import { type Ip, networkAddressKey, type Workload } from "@meltemi/model";
import { askerOf, type PodContext } from "../pods/pod-context.ts";

/** A workload backs a few services; of one that backs many some connections are counted without one. */
const MAX_DESCRIBED_SERVICES = 8;

/** `peerIp` undefined: not an address of this network. Never rejects, waits half a second at most, and decides nothing. */
export function describeInbound(
  context: PodContext,
  workload: Workload,
  peerIp: Ip | undefined,
  signal: AbortSignal,
): void | Promise<void> {
  const services = [...workload.services.keys()].slice(0, MAX_DESCRIBED_SERVICES);
  const peer = peerIp === undefined ? [] : [networkAddressKey(context.options.network, peerIp)];
  return context.lookups.describe(askerOf(context), [...peer, ...services], signal);
}
