/**
 * The cluster's names (Kubernetes DNS specification 1.1.0): `<service>.<namespace>.svc.cluster.local` is the service's ClusterIP, or
 * the addresses of the ready endpoints when it is headless; `<hostname>.<service>…` is one endpoint of a headless service;
 * an ExternalName service is an alias. Pure.
 */

import { isIPv4, isIPv6 } from "node:net";
import type { EndpointSlice, Service } from "@meltemi/kubernetes";
import { CLUSTER_DOMAIN } from "../network/addresses.ts";

export type Lookup =
  | { readonly kind: "addresses"; readonly v4: readonly string[]; readonly v6: readonly string[] }
  | { readonly kind: "alias"; readonly target: string }
  /** The name is the cluster's to give, and there is none. */
  | { readonly kind: "absent" }
  /** The name is someone else's: ask upstream. */
  | { readonly kind: "foreign" };

export interface ClusterView {
  service(namespace: string, name: string): Service | undefined;
  slices(namespace: string, service: string): readonly EndpointSlice[];
  hasNamespace(namespace: string): boolean;
}

const ABSENT: Lookup = { kind: "absent" };
/** The name exists but carries no record: "no data" instead of "no such name". */
const NO_DATA: Lookup = { kind: "addresses", v4: [], v6: [] };

/** `name` without the trailing dot, any case. */
export function lookupName(view: ClusterView, name: string): Lookup {
  const labels = name.toLowerCase().split(".");
  const suffix = CLUSTER_DOMAIN.split(".");
  if (labels.length < suffix.length || !endsWith(labels, suffix)) return { kind: "foreign" };
  const own = labels.slice(0, -suffix.length);
  if (own.length === 0) return NO_DATA;
  if (own.at(-1) !== "svc") return ABSENT;
  const [namespace, service, hostname, ...rest] = own.slice(0, -1).reverse();
  if (namespace === undefined) return NO_DATA;
  if (service === undefined) return view.hasNamespace(namespace) ? NO_DATA : ABSENT;
  if (rest.length > 0) return ABSENT;
  const found = view.service(namespace, service);
  return found === undefined ? ABSENT : lookupService(view, found, hostname);
}

function lookupService(view: ClusterView, service: Service, hostname: string | undefined): Lookup {
  const spec = service.spec ?? {};
  if (spec.type === "ExternalName")
    return hostname === undefined && spec.externalName
      ? { kind: "alias", target: spec.externalName }
      : ABSENT;
  if (spec.clusterIP === "None") return lookupHeadless(view, service, hostname);
  if (hostname !== undefined) return ABSENT;
  return addresses(spec.clusterIPs ?? (spec.clusterIP ? [spec.clusterIP] : []));
}

function lookupHeadless(view: ClusterView, service: Service, hostname: string | undefined): Lookup {
  const slices = view.slices(service.metadata?.namespace ?? "", service.metadata?.name ?? "");
  const found: string[] = [];
  for (const slice of slices)
    for (const endpoint of slice.endpoints ?? []) {
      const ready = endpoint.conditions?.ready !== false || service.spec?.publishNotReadyAddresses === true;
      const named = hostname === undefined || endpoint.hostname === hostname;
      if (ready && named) found.push(...endpoint.addresses);
    }
  if (hostname !== undefined && found.length === 0) return ABSENT;
  return addresses([...new Set(found)]);
}

function addresses(list: readonly string[]): Lookup {
  return { kind: "addresses", v4: list.filter(isIPv4), v6: list.filter(isIPv6) };
}

function endsWith(labels: readonly string[], suffix: readonly string[]): boolean {
  const start = labels.length - suffix.length;
  return suffix.every((label, index) => labels[start + index] === label);
}
