/** What `proxy-config` shows: how each part of a dump is chosen and printed. */

import { type Json, jsonAt, objectsAt, textAt } from "../output/json.ts";
import { certificateTable } from "../ztunnel-config/tables.ts";
import { clustersOf, directionOf, endpointsOf, servedPorts, subsetOf } from "./entries.ts";
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
  /** Values that a filter can have in this dump, for whoever asked for another one. */
  choices?(dump: Json): Readonly<Partial<Record<keyof ViewFilter, readonly string[]>>>;
}

export type ViewName = "cluster" | "listener" | "route" | "endpoint" | "eds" | "secret" | "bootstrap";

export const VIEWS: Readonly<Record<ViewName, View>> = {
  cluster: {
    title: "Clusters",
    document: clustersOf,
    table: (dump, filter) => clusterTable(clustersOf(dump, filter)),
    choices: (dump) => {
      const all = clustersOf(dump, {});
      return {
        fqdn: all.map((one) => textAt(jsonAt(one, "service"), "hostname")),
        port: all.map((one) => textAt(one, "port")),
        subset: all.map(subsetOf),
        direction: all.map(directionOf),
      };
    },
  },
  listener: {
    title: "Listeners",
    document: listeners,
    table: (dump, filter) => listenerTable(listeners(dump, filter), filter.waypoint === true),
    choices: (dump) => ({
      address: listeners(dump, {}).map(({ address }) => address),
      port: listeners(dump, {}).map(({ port }) => port),
    }),
  },
  route: {
    title: "Routes",
    document: (dump, filter) =>
      routedPorts(dump, filter).map(({ service, port }) => ({
        service: textAt(service, "hostname"),
        ...port,
      })),
    table: (dump, filter) => routeTable(routedPorts(dump, filter)),
    choices: (dump) => ({ name: routedPorts(dump, {}).map(({ port }) => textAt(port, "cluster")) }),
  },
  endpoint: {
    title: "Endpoints",
    document: endpointsOf,
    table: (dump, filter) => endpointTable(endpointsOf(dump, filter)),
    choices: endpointChoices,
  },
  eds: {
    title: "Endpoints of services",
    document: endpointsOf,
    table: (dump, filter) => edsTable(endpointsOf(dump, filter)),
    choices: endpointChoices,
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

const MAX_CHOICES = 8;

/** Of filters that leave nothing: what there is instead. Undefined when no filter is to blame. */
export function emptyHint(name: ViewName, dump: Json, filter: ViewFilter): string | undefined {
  const choices = VIEWS[name].choices?.(dump) ?? {};
  const wrong = Object.entries(choices).flatMap(([flag, values]) => {
    const asked = filter[flag as keyof ViewFilter];
    if (typeof asked !== "string" || values.includes(asked)) return [];
    const known = [...new Set(values)].filter((value) => value !== "").sort();
    const like = known.filter((value) => value.includes(asked));
    return [`nothing here matches --${flag} ${asked}${listed(like.length > 0 ? like : known)}`];
  });
  return wrong.length === 0 ? undefined : wrong.join("; ");
}

function listed(values: readonly string[]): string {
  if (values.length === 0) return "";
  const more = values.length > MAX_CHOICES ? ` and ${values.length - MAX_CHOICES} more` : "";
  return `; there is: ${values.slice(0, MAX_CHOICES).join(", ")}${more}`;
}

function endpointChoices(dump: Json): Readonly<Partial<Record<keyof ViewFilter, readonly string[]>>> {
  const all = endpointsOf(dump, {});
  const split = all.map(({ address }) => address.lastIndexOf(":"));
  return {
    address: all.map(({ address }, index) => address.slice(0, split[index]).replace(/^\[|\]$/g, "")),
    port: all.map(({ address }, index) => address.slice((split[index] ?? 0) + 1)),
    cluster: all.map(({ cluster }) => cluster),
    status: all.map(({ status }) => status.toLowerCase()),
  };
}

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
