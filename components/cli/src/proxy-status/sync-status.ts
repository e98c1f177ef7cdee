/** What control planes say of who is connected to them: their `/debug/syncz` (reference: l7-and-cli §3.4). Pure. */

import { isJson, type Json, jsonAt, textAt } from "../output/json.ts";
import { renderTable } from "../output/table.ts";

export interface ProxyWatch {
  /** `SYNCED`, `STALE`, `ERROR`, `NOT SENT`, `IGNORED`. */
  readonly status: string;
  readonly error: string;
}

export interface ProxySync {
  /** `<pod>.<namespace>`. */
  readonly name: string;
  readonly proxyType: string;
  readonly cluster: string;
  /** Pod of the control plane. */
  readonly istiod: string;
  readonly version: string;
  /** By type, in Istio's short words. */
  readonly watches: ReadonlyMap<string, ProxyWatch>;
}

/** Istio's names for the types that ztunnels watch; others have the last word of their own. */
const SHORT_TYPES: Readonly<Record<string, string>> = {
  "istio.workload.Address": "WDS",
  "istio.workload.Workload": "WDS",
  "istio.security.Authorization": "WADS",
  "envoy.config.cluster.v3.Cluster": "CDS",
  "envoy.config.listener.v3.Listener": "LDS",
  "envoy.config.endpoint.v3.ClusterLoadAssignment": "EDS",
  "envoy.config.route.v3.RouteConfiguration": "RDS",
};

export function readSyncStatus(answer: unknown, istiod: string): readonly ProxySync[] {
  if (!Array.isArray(answer)) return [];
  return answer.filter(isJson).map((proxy) => ({
    name: textAt(proxy, "proxy"),
    proxyType: textAt(proxy, "proxy_type"),
    cluster: textAt(proxy, "cluster_id"),
    istiod,
    version: textAt(proxy, "istio_version"),
    watches: readWatches(jsonAt(proxy, "watches") ?? {}),
  }));
}

function readWatches(watches: Json): ReadonlyMap<string, ProxyWatch> {
  const entries = Object.entries(watches).map(([typeUrl, watch]): [string, ProxyWatch] => {
    const read = isJson(watch) ? watch : undefined;
    return [shortType(typeUrl), { status: textAt(read, "status"), error: textAt(read, "error") }];
  });
  return new Map(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
}

function shortType(typeUrl: string): string {
  const type = typeUrl.slice(typeUrl.lastIndexOf("/") + 1);
  return Object.hasOwn(SHORT_TYPES, type)
    ? (SHORT_TYPES[type] ?? type)
    : type.slice(type.lastIndexOf(".") + 1);
}

export function renderSyncTable(proxies: readonly ProxySync[], verbosity: number): readonly string[] {
  const sorted = proxies.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  if (verbosity > 0) return renderStates(sorted);
  return renderTable(
    ["NAME", "CLUSTER", "ISTIOD", "VERSION", "SUBSCRIBED TYPES"],
    sorted.map(({ name, cluster, istiod, version, watches }) => [
      name,
      cluster,
      istiod,
      version,
      `${watches.size} (${[...watches.keys()].join(",")})`,
    ]),
  );
}

function renderStates(proxies: readonly ProxySync[]): readonly string[] {
  const types = [...new Set(proxies.flatMap(({ watches }) => [...watches.keys()]))].sort();
  return renderTable(
    ["NAME", "CLUSTER", ...types.map((type) => type.toUpperCase()), "ISTIOD", "VERSION"],
    proxies.map(({ name, cluster, istiod, version, watches }) => [
      name,
      cluster,
      ...types.map((type) => watches.get(type)?.status ?? "IGNORED"),
      istiod,
      version,
    ]),
  );
}

/** One proxy, type by type, with what it refused. */
export function renderOne({ name, istiod, watches }: ProxySync): readonly string[] {
  const rows = [...watches].map(([type, { status, error }]) => [type, status, error]);
  return [`${name} is connected to ${istiod}`, ...renderTable(["TYPE", "STATUS", "ERROR"], rows)];
}

/** As `-o json` and `-o yaml` print it. */
export function syncDocument(proxies: readonly ProxySync[]): readonly Json[] {
  return proxies.map(({ watches, ...proxy }) => ({ ...proxy, watches: Object.fromEntries(watches) }));
}
