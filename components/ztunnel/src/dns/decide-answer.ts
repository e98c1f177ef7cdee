/** Answers DNS from the mesh, or says that the question is not ours (reference: protocol §9). Pure. */

import {
  findServiceByHostname,
  type Ip,
  isIpv6,
  type MeshSnapshot,
  type Service,
  serviceKey,
  type Workload,
} from "@meltemi/model";
import { queryNames, withWildcards } from "./query-names.ts";

export interface DnsQuestion {
  /** Lower case, no trailing dot. */
  readonly name: string;
  /** As dns-packet names it: `A`, `AAAA`, `TXT`, … */
  readonly type: string;
}

export interface DnsContext {
  /** The pod that asks: its namespace and network decide what it may see. */
  readonly client: Workload;
  readonly clusterDomain: string;
  /** Of several foreign services of one name, that of this namespace. */
  readonly preferredNamespace: string | undefined;
  readonly ipv6Enabled: boolean;
}

export type DnsDecision =
  /** Not ours: ask upstream. */
  | { readonly kind: "forward" }
  | {
      readonly kind: "answer";
      /** Name that the addresses belong to; differs from the question when a search domain was cut off. */
      readonly name: string;
      /** Empty when the name is ours but has no address of the family. */
      readonly addresses: readonly Ip[];
    };

export function decideAnswer(
  snapshot: MeshSnapshot,
  question: DnsQuestion,
  context: DnsContext,
): DnsDecision {
  if (question.type !== "A" && question.type !== "AAAA") return { kind: "forward" };
  const found = findService(snapshot, question.name, context);
  if (found === undefined) return { kind: "forward" };
  const addresses = serviceAddresses(snapshot, found.service, context);
  if (addresses === undefined) return { kind: "forward" };
  const wantsIpv6 = question.type === "AAAA";
  const ofFamily =
    wantsIpv6 && !context.ipv6Enabled
      ? []
      : addresses.filter((address) => isIpv6(address) === wantsIpv6 && permits(found.service, address));
  return { kind: "answer", name: found.name, addresses: [...new Set(ofFamily)] };
}

function findService(
  snapshot: MeshSnapshot,
  query: string,
  context: DnsContext,
): { readonly service: Service; readonly name: string } | undefined {
  const { client, clusterDomain, preferredNamespace } = context;
  for (const { name, stripped } of queryNames(query, client.namespace, clusterDomain)) {
    for (const candidate of withWildcards(name)) {
      const service = findServiceByHostname(snapshot, candidate, client.namespace, preferredNamespace);
      if (service === undefined) continue;
      // A wildcard answers under the name that was asked for; so does a short form that was only completed.
      return { service, name: stripped && candidate === name ? name : query };
    }
  }
  return undefined;
}

/** VIPs of the client's network; for a headless Kubernetes service its endpoints; undefined when the mesh has no say. */
function serviceAddresses(
  snapshot: MeshSnapshot,
  service: Service,
  context: DnsContext,
): readonly Ip[] | undefined {
  const { client, clusterDomain } = context;
  if (service.vips.length > 0)
    return service.vips.filter((vip) => vip.network === client.network).map((vip) => vip.ip);
  if (!service.hostname.endsWith(`.svc.${clusterDomain}`)) return undefined;
  const addresses: Ip[] = [];
  snapshot.endpoints.get(serviceKey(service))?.forEach((workload) => {
    if (workload.status === "unhealthy" && service.loadBalancing.healthPolicy !== "allowAll") return;
    if (workload.network !== client.network) return;
    for (const address of workload.addresses) addresses.push(address);
  });
  return addresses;
}

function permits(service: Service, address: Ip): boolean {
  if (service.ipFamilies === "ipv4") return !isIpv6(address);
  if (service.ipFamilies === "ipv6") return isIpv6(address);
  return true;
}
