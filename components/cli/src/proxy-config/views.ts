/** What `proxy-config` shows: how each part of a dump is chosen and printed. */

import { type Json, jsonAt, objectsAt, textAt } from "../output/json.ts";
import { certificateTable } from "../ztunnel-config/tables.ts";
import { clustersOf, endpointsOf, servedPorts } from "./entries.ts";
import { clusterTable, edsTable, endpointTable, listenerRows, listenerTable, routeTable } from "./tables.ts";

export interface ViewFilter {
  readonly fqdn?: string;
  readonly port?: string;
  readonly subset?: string;
  readonly direction?: string;
  readonly name?: string;
  readonly address?: string;
  readonly cluster?: string;
  readonly status?: string;
  readonly waypoint?: boolean;
}

export interface View {
  readonly title: string;
  /** For `-o json` and `-o yaml`. */
  document(dump: Json, filter: ViewFilter): unknown;
  table(dump: Json, filter: ViewFilter, nowMs: number): readonly string[];
}

export type ViewName = "cluster" | "listener" | "route" | "endpoint" | "eds" | "secret" | "bootstrap";

export const VIEWS: Readonly<Record<ViewName, View>> = {
  cluster: {
    title: "Clusters",
    document: clustersOf,
    table: (dump, filter) => clusterTable(clustersOf(dump, filter)),
  },
  listener: {
    title: "Listeners",
    document: listeners,
    table: (dump, filter) => listenerTable(listeners(dump, filter), filter.waypoint === true),
  },
  route: {
    title: "Routes",
    document: (dump, filter) =>
      routedPorts(dump, filter).map(({ service, port }) => ({
        service: textAt(service, "hostname"),
        ...port,
      })),
    table: (dump, filter) => routeTable(routedPorts(dump, filter)),
  },
  endpoint: {
    title: "Endpoints",
    document: endpointsOf,
    table: (dump, filter) => endpointTable(endpointsOf(dump, filter)),
  },
  eds: {
    title: "Endpoints of services",
    document: endpointsOf,
    table: (dump, filter) => edsTable(endpointsOf(dump, filter)),
  },
  secret: {
    title: "Secrets",
    document: (dump) => objectsAt(dump, "certificates"),
    table: (dump, _filter, nowMs) => certificateTable(objectsAt(dump, "certificates"), nowMs),
  },
  bootstrap: {
    title: "Bootstrap",
    document: bootstrap,
    // Too deep for a table; Istio prints JSON, too.
    table: (dump) => JSON.stringify(bootstrap(dump), undefined, 2).split("\n"),
  },
};

function listeners(dump: Json, { address, port }: ViewFilter) {
  return listenerRows(dump, servedPorts(dump)).filter(
    (row) => (address === undefined || row.address === address) && (port === undefined || row.port === port),
  );
}

function routedPorts(dump: Json, { name }: ViewFilter) {
  return servedPorts(dump).filter(({ port }) => name === undefined || textAt(port, "cluster") === name);
}

function bootstrap(dump: Json): Json {
  return {
    version: jsonAt(dump, "version"),
    config: jsonAt(dump, "config"),
    settings: jsonAt(dump, "settings"),
  };
}
