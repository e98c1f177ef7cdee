/** Who stands behind an address or a name (reference: protocol §5.1, §9). All of it is reading of one snapshot. */

import { cidrContains, type Ip } from "./address.ts";
import type { Policy } from "./policy.ts";
import type { MeshSnapshot } from "./snapshot.ts";
import { networkAddressKey, type Service, type Workload } from "./workload.ts";

export type FoundAddress =
  | { readonly kind: "workload"; readonly workload: Workload }
  | { readonly kind: "service"; readonly service: Service };

export function findWorkloadByAddress(
  snapshot: MeshSnapshot,
  network: string,
  address: Ip,
): Workload | undefined {
  return snapshot.workloadsByAddress.get(networkAddressKey(network, address))?.[0];
}

/** What an address is: a workload if one has it, else a service visible to clients of `clientNamespace`. */
export function findAddress(
  snapshot: MeshSnapshot,
  network: string,
  address: Ip,
  clientNamespace: string,
): FoundAddress | undefined {
  const workload = findWorkloadByAddress(snapshot, network, address);
  if (workload !== undefined) return { kind: "workload", workload };
  const service = findServiceByVip(snapshot, network, address, clientNamespace);
  return service === undefined ? undefined : { kind: "service", service };
}

/**
 * The service that answers for a VIP to clients of `clientNamespace`: one of their own namespace, else the canonical
 * one, else the first that came. Only when no service has the address itself do networks (CIDR VIPs) count.
 */
export function findServiceByVip(
  snapshot: MeshSnapshot,
  network: string,
  address: Ip,
  clientNamespace: string,
): Service | undefined {
  const exact = (snapshot.servicesByVip.get(networkAddressKey(network, address)) ?? []).filter((service) =>
    visibleTo(service, clientNamespace),
  );
  return (
    preferredService(exact, clientNamespace) ?? findServiceByCidr(snapshot, network, address, clientNamespace)
  );
}

function findServiceByCidr(
  snapshot: MeshSnapshot,
  network: string,
  address: Ip,
  clientNamespace: string,
): Service | undefined {
  let best: { readonly rank: readonly number[]; readonly service: Service } | undefined;
  for (const { cidr, service } of snapshot.servicesByCidr.get(network) ?? []) {
    if (!visibleTo(service, clientNamespace) || !cidrContains(cidr, address)) continue;
    const rank = [
      Number(service.namespace === clientNamespace),
      cidr.prefixLength,
      Number(service.canonical),
    ];
    if (best === undefined || isGreater(rank, best.rank)) best = { rank, service };
  }
  return best?.service;
}

function isGreater(a: readonly number[], b: readonly number[]): boolean {
  for (const [index, value] of a.entries()) {
    const other = b[index] ?? 0;
    if (value !== other) return value > other;
  }
  return false;
}

/**
 * The service that answers for a host name to clients of `clientNamespace`; as for VIPs, with `preferredNamespace`
 * between the canonical service and the first.
 */
export function findServiceByHostname(
  snapshot: MeshSnapshot,
  hostname: string,
  clientNamespace: string,
  preferredNamespace?: string,
): Service | undefined {
  const visible = (snapshot.servicesByHostname.get(hostname) ?? []).filter((service) =>
    visibleTo(service, clientNamespace),
  );
  return preferredService(visible, clientNamespace, preferredNamespace);
}

function visibleTo(service: Service, clientNamespace: string): boolean {
  return service.visibility === "public" || service.namespace === clientNamespace;
}

function preferredService(
  services: readonly Service[],
  clientNamespace: string,
  preferredNamespace?: string,
): Service | undefined {
  return (
    services.find((service) => service.namespace === clientNamespace) ??
    services.findLast((service) => service.canonical) ??
    services.find((service) => service.namespace === preferredNamespace) ??
    services[0]
  );
}

/** Name by which the node agent announces a pod. */
export interface WorkloadName {
  readonly name: string;
  readonly namespace: string;
  readonly serviceAccount: string;
}

/** Where this proxy runs; an empty text is not known. */
export interface LocalPlace {
  readonly node: string;
  readonly clusterId: string;
}

/**
 * The pod of that name here. Another cluster may have one of the same name, which may be known before our own: it is never
 * taken, since its identity, policies and waypoint are not ours. What one of both sides does not know rules nothing out;
 * the pod of which the node is known comes first.
 */
export function findLocalWorkload(
  snapshot: MeshSnapshot,
  name: WorkloadName,
  place: LocalPlace,
): Workload | undefined {
  const agrees = (here: string, there: string): boolean => here === "" || there === "" || here === there;
  const named = (snapshot.workloadsByName.get(`${name.namespace}/${name.name}`) ?? []).filter(
    (workload) =>
      workload.serviceAccount === name.serviceAccount &&
      agrees(place.clusterId, workload.clusterId) &&
      agrees(place.node, workload.node),
  );
  return named.find((workload) => workload.node === place.node) ?? named[0];
}

/** Policies that apply to a workload, and the names it refers to that have not arrived. */
export interface ApplicablePolicies {
  readonly policies: readonly Policy[];
  readonly missing: readonly string[];
}

export function policiesOf(snapshot: MeshSnapshot, workload: Workload): ApplicablePolicies {
  const policies = [
    ...(snapshot.policiesByNamespace.get(workload.namespace) ?? []),
    ...snapshot.globalPolicies,
  ];
  const missing: string[] = [];
  for (const name of workload.authorizationPolicies) {
    const policy = snapshot.policies.get(name);
    if (policy === undefined) missing.push(name);
    else if (!policies.includes(policy)) policies.push(policy);
  }
  return { policies, missing };
}
