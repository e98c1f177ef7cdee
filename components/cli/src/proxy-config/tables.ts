/** The tables of `proxy-config`, in Istio's columns (reference: l7-and-cli §3.4). Pure. */

import { type Json, jsonAt, objectsAt, textAt } from "../output/json.ts";
import { renderTable } from "../output/table.ts";
import {
  type clustersOf,
  directionOf,
  type EndpointEntry,
  type ServedPortEntry,
  subsetOf,
} from "./entries.ts";
import { describeAction, describeMatches } from "./match-text.ts";

export function clusterTable(clusters: ReturnType<typeof clustersOf>): readonly string[] {
  return renderTable(
    ["SERVICE FQDN", "PORT", "SUBSET", "DIRECTION", "TYPE", "DESTINATION RULE"],
    clusters.map((cluster) => [
      textAt(jsonAt(cluster, "service"), "hostname"),
      textAt(cluster, "port"),
      subsetOf(cluster) || "-",
      directionOf(cluster),
      textAt(jsonAt(cluster, "loadBalancer"), "kind") === "passthrough" ? "ORIGINAL_DST" : "EDS",
      originText(cluster),
    ]),
  );
}

/** `<name>.<namespace>` of the object that it was made from; empty when the dump does not say. */
function originText(entry: Json): string {
  const origin = jsonAt(entry, "origin");
  return origin === undefined ? "" : `${textAt(origin, "name")}.${textAt(origin, "namespace")}`;
}

export interface ListenerRow {
  readonly listener: string;
  readonly address: string;
  readonly port: string;
  readonly chain: string;
  readonly match: string;
  readonly destination: string;
}

/** Tunnels are accepted on one port, and what they carry is told apart by the address that was asked for. */
export function listenerRows(dump: Json, ports: readonly ServedPortEntry[]): readonly ListenerRow[] {
  const hbonePort = textAt(jsonAt(jsonAt(dump, "config"), "hbone"), "port") || "15008";
  const terminate: ListenerRow = {
    listener: "connect_terminate",
    address: "0.0.0.0",
    port: hbonePort,
    chain: "default",
    match: "ALL",
    destination: "Listener: main_internal",
  };
  const served = ports.flatMap(({ service, port, vips }) =>
    (vips.length === 0 ? [textAt(service, "hostname")] : vips).map((vip): ListenerRow => {
      const number = textAt(port, "port");
      const isHttp = ["http", "sniff"].includes(textAt(port, "protocol"));
      const routes = isHttp ? objectsAt(port, "httpRoutes") : objectsAt(port, "tcpRoutes");
      return {
        listener: "main_internal",
        address: vip,
        port: number,
        chain: textAt(port, "cluster"),
        match: `${vip}:${number} ${textAt(port, "protocol")}`,
        destination:
          routes.length === 0
            ? `Cluster: ${textAt(port, "cluster")}`
            : `Inline Route: ${routes.map((route) => describeMatches(route)).join(", ")}`,
      };
    }),
  );
  return [terminate, ...served, ...workloadRows(dump)];
}

/** Traffic to workloads themselves, where the waypoint takes it. */
function workloadRows(dump: Json): readonly ListenerRow[] {
  const type = textAt(jsonAt(dump, "settings"), "trafficType");
  if (type !== "workload" && type !== "all") return [];
  return [
    {
      listener: "main_internal",
      address: "*",
      port: "*",
      chain: "direct-http",
      match: "workloads that use this waypoint",
      destination: "Cluster: encap",
    },
  ];
}

export function listenerTable(rows: readonly ListenerRow[], forWaypoint: boolean): readonly string[] {
  if (forWaypoint)
    return renderTable(
      ["LISTENER", "CHAIN", "MATCH", "DESTINATION"],
      rows.map(({ listener, chain, match, destination }) => [listener, chain, match, destination]),
    );
  return renderTable(
    ["ADDRESSES", "PORT", "MATCH", "DESTINATION"],
    rows.map(({ address, port, match, destination }) => [address, port, match, destination]),
  );
}

export function routeTable(ports: readonly ServedPortEntry[]): readonly string[] {
  const header = ["NAME", "VHOST NAME", "DOMAINS", "MATCH", "VIRTUAL SERVICE"];
  return renderTable(
    header,
    ports.flatMap(({ service, port }) => {
      const hostname = textAt(service, "hostname");
      const place = [textAt(port, "cluster"), `${hostname}:${textAt(port, "port")}`, "*"];
      const routes = [...objectsAt(port, "httpRoutes"), ...objectsAt(port, "tcpRoutes")];
      if (routes.length === 0) return [[...place, "/*", ""]];
      return routes.map((route) => [
        ...place,
        `${describeMatches(route)} -> ${describeAction(route)}`,
        routeOrigin(route),
      ]);
    }),
  );
}

/** `<name>.<namespace>`, with the kind where it is no VirtualService. */
function routeOrigin(route: Json): string {
  const kind = textAt(jsonAt(route, "origin"), "kind");
  const text = originText(route);
  return kind === "" || kind === "VirtualService" ? text : `${text} (${kind})`;
}

export function endpointTable(endpoints: readonly EndpointEntry[]): readonly string[] {
  return renderTable(
    ["ENDPOINT", "STATUS", "OUTLIER CHECK", "CLUSTER"],
    endpoints.map(({ address, status, outlierCheck, cluster }) => [address, status, outlierCheck, cluster]),
  );
}

export function edsTable(endpoints: readonly EndpointEntry[]): readonly string[] {
  return renderTable(
    ["NAME", "STATUS", "LOCALITY", "CLUSTER"],
    endpoints.map(({ address, status, locality, cluster }) => [address, status, locality, cluster]),
  );
}
