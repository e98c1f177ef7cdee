/** What both kinds of capture do inside a pod's namespace: find its addresses, and make the way back for ztunnel's last hop. */

import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { networkInterfaces } from "node:os";
import { addReturnRoute, type NetworkNamespace, withNetworkNamespace } from "@meltemi/linux";
import { MeshError } from "@meltemi/runtime";
import { MARK_MASK, RETURN_MARK } from "./capture.ts";

/** Istio's own table and priority (reference: protocol §6.1), so that a node may change between the two agents. */
const RETURN_ROUTE = { mark: RETURN_MARK, mask: MARK_MASK, table: 100, priority: 32764 } as const;
/**
 * An app's accepted socket takes the mark of the connection it answers (IPv6 as well); a refusal, which comes from no socket,
 * takes the mark of the packet it answers.
 */
const MARK_SETTINGS = ["sys/net/ipv4/tcp_fwmark_accept", "sys/net/ipv4/fwmark_reflect"] as const;
const MARK_SETTING_IPV6 = "sys/net/ipv6/fwmark_reflect";
const TRACK_MID_STREAM = "sys/net/netfilter/nf_conntrack_tcp_loose";
const MIGRATE_REQUESTS = "sys/net/ipv4/tcp_migrate_req";
/** A container's own /proc/sys is read-only unless it is privileged; the node's, mounted where Istio mounts it, is not. */
const PROC_FOLDERS = ["/proc", "/host/proc"] as const;
const DISABLE_IPV6 = "/proc/sys/net/ipv6/conf/lo/disable_ipv6";

/** Addresses of the namespace's interfaces that are up, with those given; loopback and link-local ones are left out. */
export function podAddresses(netns: NetworkNamespace, given: readonly string[]): readonly string[] {
  const interfaces = withNetworkNamespace(netns, () => networkInterfaces());
  const found = Object.values(interfaces).flatMap((list) => (list ?? []).map((one) => one.address));
  return [...new Set([...given, ...found.map((ip) => ip.replace(/%.*/, ""))])].filter(isGlobal);
}

function isGlobal(ip: string): boolean {
  return !ip.startsWith("127.") && ip !== "::1" && !/^fe[89ab]/i.test(ip);
}

/**
 * Adds the return route. With `inheritMark` replies take the mark of what they answer, and so this route; nftables restores the
 * mark from connection tracking instead.
 */
export function prepareReturnPath(netns: NetworkNamespace, inheritMark: boolean): void {
  withNetworkNamespace(netns, () => {
    addReturnRoute(RETURN_ROUTE, hasIpv6());
    if (!inheritMark) return;
    for (const setting of MARK_SETTINGS) enable(setting);
    if (existsSync(`/proc/${MARK_SETTING_IPV6}`)) enable(MARK_SETTING_IPV6);
  });
}

/**
 * A ztunnel that is replaced closes its listeners: what waits in their queues then goes to the newer one's, instead of being reset.
 * The kernel can since 5.14.
 */
export function keepWaitingConnections(netns: NetworkNamespace): void {
  withNetworkNamespace(netns, () => {
    if (existsSync(`/proc/${MIGRATE_REQUESTS}`)) enable(MIGRATE_REQUESTS);
  });
}

/**
 * Connection tracking begins with a SYN only. By default it also takes up what it first sees in the middle: a stranger could send one
 * ACK that nobody answers, and his SYN after it would count as part of a connection that no rule redirects any more. Connections
 * older than the rules stay untracked, and go on.
 */
export function trackFromHandshake(netns: NetworkNamespace): void {
  withNetworkNamespace(netns, () => write(TRACK_MID_STREAM, "0"));
}

function hasIpv6(): boolean {
  return existsSync(DISABLE_IPV6) && readFileSync(DISABLE_IPV6, "utf8").trim() === "0";
}

function enable(setting: string): void {
  write(setting, "1");
}

function write(setting: string, value: "0" | "1"): void {
  if (readFileSync(`/proc/${setting}`, "utf8").trim() === value) return;
  const failures: unknown[] = [];
  for (const folder of PROC_FOLDERS) {
    try {
      writeFileSync(`${folder}/${setting}`, value);
      return;
    } catch (error) {
      failures.push(error);
    }
  }
  throw new MeshError(
    "KERNEL",
    `set ${setting.replace("sys/", "").replaceAll("/", ".")} in a pod: expected it writable below ${PROC_FOLDERS.join(" or ")}`,
    {
      cause: failures[0],
    },
  );
}
