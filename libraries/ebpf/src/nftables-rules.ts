/**
 * The fallback's rules: Istio's own, in its native form (reference: protocol §6.2, §6.3, §6.4), as text for `nft -f`. Each text can be
 * applied again and then changes nothing. One difference: only the first packet of a connection is redirected, never one in
 * the middle, so that connections older than their pod's enrolment go on.
 */

import { CAPTURE_PORTS, MARK_MASK, RETURN_MARK, ZTUNNEL_MARK } from "./capture.ts";

export interface PodRules {
  readonly captureDns: boolean;
  readonly captureInbound: boolean;
}

export const NAT_TABLE = "istio-ambient-nat";
const MANGLE_TABLE = "istio-ambient-mangle";
const RAW_TABLE = "istio-ambient-raw";
const PROBE_SETS = { 4: "istio-inpod-probes-v4", 6: "istio-inpod-probes-v6" } as const;
/** The node's own connections to pods are given these as sources, and pods let them past ztunnel. */
const PROBE_SOURCE = { 4: "169.254.7.127", 6: "fd16:9254:7127:1337:ffff:ffff:ffff:ffff" } as const;

const MASK = hex(MARK_MASK);
const FROM_ZTUNNEL = `meta mark & ${MASK} == ${hex(ZTUNNEL_MARK)}`;
const NOT_FROM_ZTUNNEL = `meta mark & ${MASK} != ${hex(ZTUNNEL_MARK)}`;
const FIRST_PACKET = "tcp flags & (fin | syn | rst | ack) == syn";
const NOT_LOOPBACK = ["ip daddr != 127.0.0.0/8", "ip6 daddr != ::1"] as const;

function hex(value: number): string {
  return `0x${value.toString(16)}`;
}

/** Rules inside the pod's namespace. */
export function podRuleset(rules: PodRules): string {
  return [
    ...chainWith(NAT_TABLE, "istio-prerouting", "nat hook prerouting priority -100", inboundRules(rules)),
    ...chainWith(NAT_TABLE, "istio-output", "nat hook output priority -100", outboundRules(rules)),
    ...chainWith(MANGLE_TABLE, "istio-prerouting", "filter hook prerouting priority -150", [
      `${FROM_ZTUNNEL} ct mark set ct mark & 0xfffff000 | ${hex(RETURN_MARK)}`,
    ]),
    ...chainWith(MANGLE_TABLE, "istio-output", "route hook output priority -150", [
      `ct mark & ${MASK} == ${hex(RETURN_MARK)} meta mark set ct mark`,
    ]),
    ...chainWith(RAW_TABLE, "istio-output", "filter hook output priority -300", [
      ...(rules.captureDns ? [`${FROM_ZTUNNEL} udp dport 53 ct zone set 1`] : []),
    ]),
    ...chainWith(RAW_TABLE, "istio-prerouting", "filter hook prerouting priority -300", [
      ...(rules.captureDns ? [`${NOT_FROM_ZTUNNEL} udp sport 53 ct zone set 1`] : []),
    ]),
    "",
  ].join("\n");
}

/**
 * Redirects nothing any more. The empty chains stay: without them the kernel would stop translating the connections that were
 * redirected before, and the marks of ztunnel's running last hops are still needed.
 */
export function releasedPodRuleset(): string {
  return [
    ...chainWith(NAT_TABLE, "istio-prerouting", "nat hook prerouting priority -100", []),
    ...chainWith(NAT_TABLE, "istio-output", "nat hook output priority -100", []),
    ...chainWith(RAW_TABLE, "istio-output", "filter hook output priority -300", []),
    ...chainWith(RAW_TABLE, "istio-prerouting", "filter hook prerouting priority -300", []),
    "",
  ].join("\n");
}

function inboundRules(rules: PodRules): string[] {
  if (!rules.captureInbound) return [];
  const { inboundHbone, inboundPlaintext } = CAPTURE_PORTS;
  return [
    `ip saddr ${PROBE_SOURCE[4]} meta l4proto tcp accept`,
    `ip6 saddr ${PROBE_SOURCE[6]} meta l4proto tcp accept`,
    ...NOT_LOOPBACK.map(
      (away) =>
        `${away} tcp dport != ${inboundHbone} ${FIRST_PACKET} ${NOT_FROM_ZTUNNEL} redirect to :${inboundPlaintext}`,
    ),
  ];
}

function outboundRules(rules: PodRules): string[] {
  const { dns, outbound } = CAPTURE_PORTS;
  const dnsRules = [
    `oifname != "lo" udp dport 53 ${NOT_FROM_ZTUNNEL} redirect to :${dns}`,
    ...NOT_LOOPBACK.map(
      (away) =>
        `${away} oifname != "lo" tcp dport 53 ${FIRST_PACKET} ${NOT_FROM_ZTUNNEL} redirect to :${dns}`,
    ),
  ];
  return [
    `ip daddr ${PROBE_SOURCE[4]} meta l4proto tcp accept`,
    `ip6 daddr ${PROBE_SOURCE[6]} meta l4proto tcp accept`,
    ...(rules.captureDns ? dnsRules : []),
    `meta l4proto tcp meta mark & ${MASK} == ${hex(RETURN_MARK)} accept`,
    ...NOT_LOOPBACK.map((away) => `oifname "lo" ${away} accept`),
    ...NOT_LOOPBACK.map((away) => `${away} ${FIRST_PACKET} ${NOT_FROM_ZTUNNEL} redirect to :${outbound}`),
  ];
}

/** Rules in the node's namespace. Only packets of a local socket have an owner: what the node forwards or masquerades has none. */
export function nodeRuleset(): string {
  return [
    `add table inet ${NAT_TABLE}`,
    `add set inet ${NAT_TABLE} ${PROBE_SETS[4]} { type ipv4_addr; }`,
    `add set inet ${NAT_TABLE} ${PROBE_SETS[6]} { type ipv6_addr; }`,
    ...chainWith(NAT_TABLE, "istio-postrouting", "nat hook postrouting priority 100", [
      `meta l4proto tcp meta skuid 0-4294967294 ip daddr @${PROBE_SETS[4]} snat ip to ${PROBE_SOURCE[4]}`,
      `meta l4proto tcp meta skuid 0-4294967294 ip6 daddr @${PROBE_SETS[6]} snat ip6 to ${PROBE_SOURCE[6]}`,
    ]),
    "",
  ].join("\n");
}

/** Removes {@link nodeRuleset}. */
export function noNodeRuleset(): string {
  return `add table inet ${NAT_TABLE}\ndelete table inet ${NAT_TABLE}\n`;
}

export interface ProbeTarget {
  readonly ip: string;
  readonly uid: string;
}

/** Takes `remove` out of the sets of pods and puts `add` in, in one transaction. */
export function probeTargetsRuleset(remove: readonly ProbeTarget[], add: readonly ProbeTarget[]): string {
  const setOf = (ip: string): string => PROBE_SETS[ip.includes(":") ? 6 : 4];
  return [
    ...remove.map(({ ip }) => `delete element inet ${NAT_TABLE} ${setOf(ip)} { ${ip} }`),
    ...add.map(({ ip, uid }) => `add element inet ${NAT_TABLE} ${setOf(ip)} { ${ip} comment "${uid}" }`),
    "",
  ].join("\n");
}

/** Reads the answer of `nft -j list sets`; undefined when it is not one. */
export function parseProbeTargets(json: string): readonly ProbeTarget[] | undefined {
  let document: unknown;
  try {
    document = JSON.parse(json);
  } catch {
    return undefined;
  }
  const entries = field(document, "nftables");
  if (!Array.isArray(entries)) return undefined;
  const names: readonly unknown[] = Object.values(PROBE_SETS);
  return entries
    .map((entry) => field(entry, "set"))
    .filter((set) => field(set, "table") === NAT_TABLE && names.includes(field(set, "name")))
    .flatMap((set) => field(set, "elem") ?? [])
    .flatMap((element) => {
      const [ip, uid] = [field(field(element, "elem"), "val"), field(field(element, "elem"), "comment")];
      return typeof ip === "string" && typeof uid === "string" ? [{ ip, uid }] : [];
    });
}

function field(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null
    ? (value as Readonly<Record<string, unknown>>)[name]
    : undefined;
}

/** A base chain with exactly these rules. */
function chainWith(table: string, chain: string, hook: string, rules: readonly string[]): string[] {
  return [
    `add table inet ${table}`,
    `add chain inet ${table} ${chain} { type ${hook}; }`,
    `flush chain inet ${table} ${chain}`,
    ...rules.map((rule) => `add rule inet ${table} ${chain} ${rule}`),
  ];
}
