/**
 * Which addresses stand for the hosts of a ServiceEntry that names none, so that clients can dial it by name (reference: l7-and-cli
 * §2.7). Istio's ranges: 240.240.0.0/16 and 2001:2::/48, of which nobody on a network has one. Pure.
 */

import { type Ip, parseIp } from "@meltemi/model";
import type { ServiceEntryFacts } from "../compile/facts.ts";

export type Allocated = ServiceEntryFacts["allocatedAddresses"][number];

/** `false` on a ServiceEntry: leave it without. */
const OPT_OUT_LABEL = "networking.istio.io/enable-autoallocate-ip";
/** Numbers of both ranges: the network itself and its last address are left out. */
const CHOICES = 65_534;

/** Hosts that are to have addresses. With a wildcard only the waypoint knows which name is meant. */
export function hostsInNeed(entry: ServiceEntryFacts): readonly string[] {
  const { addresses, resolution, labels, hosts } = entry;
  if (addresses.length > 0 || resolution === "none" || labels[OPT_OUT_LABEL] === "false") return [];
  return hosts.filter((host) => !host.startsWith("*") || resolution === "dynamicDns");
}

/**
 * The whole list that the status is to have; undefined when it has it. An address that is there is kept while nobody else owns it, for
 * clients remember it. `isFree`: nobody but this host of this entry has it. Where all are taken the host goes without.
 */
export function decideAddresses(
  key: string,
  entry: ServiceEntryFacts,
  isFree: (ip: Ip, host: string) => boolean,
): readonly Allocated[] | undefined {
  const chosen = new Set<Ip>();
  const isOpen = (ip: Ip, host: string): boolean => !chosen.has(ip) && isFree(ip, host);
  const wanted = hostsInNeed(entry).flatMap((host): Allocated[] => {
    const given = entry.allocatedAddresses.filter((each) => each.host === host && isOpen(each.ip, host));
    const pair =
      given.length > 0 ? given.map(({ ip }) => ip) : choosePair(`${key}/${host}`, (ip) => isOpen(ip, host));
    for (const ip of pair) chosen.add(ip);
    return pair.map((ip) => ({ host, ip }));
  });
  return isSame(wanted, entry.allocatedAddresses) ? undefined : wanted;
}

/** The same name asks for the same number first, so that an entry that is made again most often gets what it had. */
function choosePair(name: string, isOpen: (ip: Ip) => boolean): readonly Ip[] {
  const first = hashOf(name) % CHOICES;
  for (let step = 0; step < CHOICES; step++) {
    const pair = pairOf(((first + step) % CHOICES) + 1);
    if (pair.every(isOpen)) return pair;
  }
  return [];
}

function pairOf(number: number): readonly Ip[] {
  const texts = [`240.240.${number >> 8}.${number & 0xff}`, `2001:2::f0f0:${number.toString(16)}`];
  return texts.flatMap((text) => parseIp(text) ?? []);
}

/** FNV-1a, 32 bits. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  return hash >>> 0;
}

function isSame(one: readonly Allocated[], other: readonly Allocated[]): boolean {
  return (
    one.length === other.length &&
    one.every(({ host, ip }, index) => other[index]?.host === host && other[index]?.ip === ip)
  );
}
