/** Addresses that the control plane must not be sent to by a user's URL: its own machine's secrets are behind them. Pure. */

import { type Cidr, cidrContains, type Ip, parseCidr } from "@meltemi/model";

/** Link-local ones, where clouds answer with the machine's credentials, and the latter's other places (reference: l7-and-cli §2.3). */
const NEVER: readonly Cidr[] = cidrs([
  "0.0.0.0/8",
  "169.254.0.0/16",
  "100.100.100.200/32",
  "192.0.0.192/32",
  "::/128",
  "fe80::/10",
  "fd00:ec2::254/128",
  // 169.254.0.0/16 through NAT64.
  "64:ff9b::a9fe:0/112",
]);

/** The control plane's own ports. */
export const LOOPBACK: readonly Cidr[] = cidrs(["127.0.0.0/8", "::1/128"]);

/** `blocked`: in addition. IPv4 in the clothes of IPv6 is IPv4 already, as `parseIp` makes it. */
export function isForbiddenAddress(address: Ip, blocked: readonly Cidr[]): boolean {
  return [...NEVER, ...blocked].some((network) => cidrContains(network, address));
}

function cidrs(texts: readonly string[]): readonly Cidr[] {
  return texts.flatMap((text) => parseCidr(text) ?? []);
}
