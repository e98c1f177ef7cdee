/** Keys that stand for all addresses of a network: `network/ip/length`, the alias of a service with such a VIP. */

import { type Cidr, cidrContains, parseCidr, parseIp } from "@meltemi/model";

export interface CidrKey {
  readonly network: string;
  readonly cidr: Cidr;
}

/** Undefined for every other kind of key. */
export function parseCidrKey(key: string): CidrKey | undefined {
  // Cheap for the many that are none.
  if (!/\/\d{1,3}$/.test(key)) return undefined;
  const slash = key.lastIndexOf("/", key.lastIndexOf("/") - 1);
  const cidr = slash < 0 ? undefined : parseCidr(key.slice(slash + 1));
  return cidr && { network: key.slice(0, slash), cidr };
}

/** `name`: what a client asked for; false when that is no address. */
export function cidrKeyContains({ network, cidr }: CidrKey, name: string): boolean {
  const slash = name.lastIndexOf("/");
  if (name.slice(0, slash) !== network) return false;
  const address = parseIp(name.slice(slash + 1));
  return address !== undefined && cidrContains(cidr, address);
}
