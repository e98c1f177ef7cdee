/** What a waypoint serves, in the words of Envoy that `proxy-config` uses, from its dump (reference: l7-and-cli §3.4). Pure. */

import { type Json, jsonAt, objectsAt, textAt, textsAt } from "../output/json.ts";

export interface ServedPortEntry {
  readonly service: Json;
  readonly port: Json;
  /** Addresses without network. */
  readonly vips: readonly string[];
}

export function servedPorts(dump: Json): readonly ServedPortEntry[] {
  const known = new Map(objectsAt(dump, "services").map((service) => [keyOf(service), service]));
  return objectsAt(dump, "servedServices").flatMap((service) => {
    const vips = textsAt(known.get(keyOf(service)), "vips").map((vip) => vip.slice(vip.indexOf("/") + 1));
    return objectsAt(service, "ports").map((port) => ({ service, port, vips }));
  });
}

function keyOf(service: Json): string {
  return `${textAt(service, "namespace")}/${textAt(service, "hostname")}`;
}

export interface ClusterFilter {
  readonly fqdn?: string | undefined;
  readonly port?: string | undefined;
  readonly subset?: string | undefined;
  readonly direction?: string | undefined;
}

/** Of everything that is served, and of the settings: authorizers, collectors. A cluster to which two services route is one. */
export function clustersOf(dump: Json, filter: ClusterFilter): readonly Json[] {
  const all = [
    ...objectsAt(dump, "servedServices").flatMap((service) => objectsAt(service, "clusters")),
    ...objectsAt(jsonAt(dump, "settings"), "clusters"),
  ];
  const unique = [...new Map(all.map((cluster) => [JSON.stringify(cluster), cluster])).values()];
  return byText(unique, (cluster) => textAt(cluster, "name")).filter(
    (cluster) =>
      is(filter.fqdn, textAt(jsonAt(cluster, "service"), "hostname")) &&
      is(filter.port, textAt(cluster, "port")) &&
      is(filter.subset, subsetOf(cluster)) &&
      is(filter.direction, directionOf(cluster)),
  );
}

/** `inbound-vip` or `outbound`: the first word of Envoy's name. */
export function directionOf(cluster: Json): string {
  return textAt(cluster, "name").split("|")[0] ?? "";
}

export function subsetOf(cluster: Json): string {
  return textAt(jsonAt(cluster, "subset"), "name");
}

export interface EndpointFilter {
  readonly address?: string | undefined;
  readonly port?: string | undefined;
  readonly cluster?: string | undefined;
  readonly status?: string | undefined;
}

export interface EndpointEntry {
  readonly uid: string;
  readonly address: string;
  readonly status: "HEALTHY" | "UNHEALTHY";
  readonly outlierCheck: "OK" | "FAILED";
  readonly cluster: string;
  /** `region/zone/subzone`; empty when it is not known. */
  readonly locality: string;
}

export function endpointsOf(dump: Json, filter: EndpointFilter): readonly EndpointEntry[] {
  const workloads = new Map(
    objectsAt(dump, "workloads").map((workload) => [textAt(workload, "uid"), workload]),
  );
  const entries = objectsAt(dump, "clusters").flatMap((cluster) =>
    objectsAt(cluster, "endpoints").map(
      (endpoint): EndpointEntry => ({
        uid: textAt(endpoint, "uid"),
        address: textAt(endpoint, "address"),
        status: textAt(endpoint, "healthy") === "true" ? "HEALTHY" : "UNHEALTHY",
        outlierCheck: textAt(endpoint, "ejected") === "true" ? "FAILED" : "OK",
        cluster: textAt(cluster, "name"),
        locality: localityOf(workloads.get(textAt(endpoint, "uid"))),
      }),
    ),
  );
  return byText(entries, ({ address, cluster }) => `${address} ${cluster}`).filter(
    ({ address, cluster, status }) =>
      is(filter.address, address.slice(0, address.lastIndexOf(":")).replace(/^\[|\]$/g, "")) &&
      is(filter.port, address.slice(address.lastIndexOf(":") + 1)) &&
      is(filter.cluster, cluster) &&
      is(filter.status?.toUpperCase(), status),
  );
}

function localityOf(workload: Json | undefined): string {
  const locality = jsonAt(workload, "locality");
  return ["region", "zone", "subzone"]
    .map((key) => textAt(locality, key))
    .join("/")
    .replace(/\/+$/, "");
}

function is(wanted: string | undefined, value: string): boolean {
  return wanted === undefined || wanted === value;
}

function byText<T>(entries: readonly T[], text: (entry: T) => string): readonly T[] {
  return entries.toSorted((a, b) => (text(a) < text(b) ? -1 : text(a) > text(b) ? 1 : 0));
}
