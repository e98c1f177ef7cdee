/** The files by which a container finds names: resolv.conf and hosts. Pure. */

import type { Pod } from "@meltemi/kubernetes";
import { CLUSTER_DOMAIN, DNS_SERVICE_ADDRESS } from "../../network/addresses.ts";

/** The C library's own limits (resolv.conf(5)): more are ignored silently, so they are cut here. */
const MAX_NAMESERVERS = 3;

/** resolv.conf by `dnsPolicy` and `dnsConfig`. Nodes resolve through the cluster's DNS, without search domains. */
export function renderResolvConf(pod: Pod): string {
  const spec = pod.spec;
  const namespace = pod.metadata?.namespace ?? "default";
  const policy = spec?.dnsPolicy ?? "ClusterFirst";
  const clusterNames =
    policy === "ClusterFirstWithHostNet" || (policy === "ClusterFirst" && spec?.hostNetwork !== true);
  const nameservers = policy === "None" ? [] : [DNS_SERVICE_ADDRESS];
  const searches = clusterNames
    ? [`${namespace}.svc.${CLUSTER_DOMAIN}`, `svc.${CLUSTER_DOMAIN}`, CLUSTER_DOMAIN]
    : [];
  const options = new Map(clusterNames ? [["ndots", "5"]] : []);
  const extra = spec?.dnsConfig;
  for (const option of extra?.options ?? [])
    if (option.name !== undefined) options.set(option.name, option.value ?? "");
  const servers = [...new Set([...nameservers, ...(extra?.nameservers ?? [])])].slice(0, MAX_NAMESERVERS);
  const domains = [...new Set([...searches, ...(extra?.searches ?? [])])];
  const words = [...options].map(([name, value]) => (value === "" ? name : `${name}:${value}`));
  return [
    ...(domains.length > 0 ? [`search ${domains.join(" ")}`] : []),
    ...servers.map((server) => `nameserver ${server}`),
    ...(words.length > 0 ? [`options ${words.join(" ")}`] : []),
    "",
  ].join("\n");
}

/** The pod's own name: `spec.hostname`, else its name cut to what the kernel takes. */
export function hostnameOf(pod: Pod, nodeName: string): string {
  if (pod.spec?.hostNetwork === true) return nodeName;
  return (pod.spec?.hostname ?? pod.metadata?.name ?? "").slice(0, 63).replace(/[-.]+$/, "");
}

export function renderHosts(pod: Pod, hostname: string, podIps: readonly string[]): string {
  const domain =
    pod.spec?.subdomain === undefined
      ? ""
      : `${hostname}.${pod.spec.subdomain}.${pod.metadata?.namespace ?? ""}.svc.${CLUSTER_DOMAIN} `;
  return [
    "127.0.0.1 localhost",
    "::1 localhost ip6-localhost ip6-loopback",
    ...podIps.map((ip) => `${ip} ${domain}${hostname}`),
    ...(pod.spec?.hostAliases ?? []).map((alias) => `${alias.ip} ${(alias.hostnames ?? []).join(" ")}`),
    "",
  ].join("\n");
}
