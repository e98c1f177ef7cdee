/** What of a ztunnel's dump is meant, by the filters of `ztunnel-config` (reference: l7-and-cli §3.3). Pure. */

import { isJson, type Json, jsonAt, objectsAt, textAt, textsAt } from "../output/json.ts";

/** Undefined: any. */
export interface EntryFilter {
  readonly namespace?: string | undefined;
  /** Of workloads alone. */
  readonly address?: string | undefined;
  readonly node?: string | undefined;
  readonly direction?: "inbound" | "outbound" | undefined;
  /** One workload, and what concerns it. */
  readonly workload?: { readonly namespace: string; readonly name: string } | undefined;
}

export function workloadsOf(dump: Json, filter: EntryFilter): readonly Json[] {
  return byName(
    objectsAt(dump, "workloads").filter(
      (workload) =>
        isOf(workload, filter) &&
        (filter.address === undefined || textsAt(workload, "workloadIps").includes(filter.address)) &&
        (filter.node === undefined || textAt(workload, "node") === filter.node) &&
        (filter.workload === undefined || isNamed(workload, filter.workload)),
    ),
  );
}

export function servicesOf(dump: Json, filter: EntryFilter): readonly Json[] {
  const uids =
    filter.workload && new Set(workloadsOf(dump, { workload: filter.workload }).map((w) => textAt(w, "uid")));
  return byName(
    objectsAt(dump, "services").filter(
      (service) =>
        isOf(service, filter) &&
        (uids === undefined || Object.keys(jsonAt(service, "endpoints") ?? {}).some((uid) => uids.has(uid))),
    ),
  );
}

/** For a workload: those of the mesh, of its namespace, and those that it names. */
export function policiesOf(dump: Json, filter: EntryFilter): readonly Json[] {
  const [workload] = filter.workload ? workloadsOf(dump, { workload: filter.workload }) : [];
  const named = new Set(textsAt(workload, "authorizationPolicies"));
  return byName(
    objectsAt(dump, "policies").filter((policy) => {
      if (!isOf(policy, filter)) return false;
      if (filter.workload === undefined) return true;
      const [scope, namespace] = [textAt(policy, "scope"), textAt(policy, "namespace")];
      if (scope === "Global") return true;
      if (scope === "Namespace") return namespace === filter.workload.namespace;
      return named.has(`${namespace}/${textAt(policy, "name")}`);
    }),
  );
}

export function certificatesOf(dump: Json, filter: EntryFilter): readonly Json[] {
  const [workload] = filter.workload ? workloadsOf(dump, { workload: filter.workload }) : [];
  const identity = workload && identityOf(workload);
  const all = objectsAt(dump, "certificates");
  return filter.workload === undefined ? all : all.filter((one) => textAt(one, "identity") === identity);
}

export interface WorkloadConnections {
  readonly state: string;
  readonly info: Json;
  readonly connections: { readonly inbound: readonly Json[]; readonly outbound: readonly Json[] };
}

/** By name of the workload. */
export function connectionsOf(dump: Json, filter: EntryFilter): readonly WorkloadConnections[] {
  const states = Object.values(jsonAt(dump, "workloadState") ?? {}).filter(isJson);
  return states
    .map((state) => {
      const connections = jsonAt(state, "connections");
      return {
        state: textAt(state, "state"),
        info: jsonAt(state, "info") ?? {},
        connections: {
          inbound: filter.direction === "outbound" ? [] : objectsAt(connections, "inbound"),
          outbound: filter.direction === "inbound" ? [] : objectsAt(connections, "outbound"),
        },
      };
    })
    .filter(
      ({ info }) => isOf(info, filter) && (filter.workload === undefined || isNamed(info, filter.workload)),
    )
    .sort((a, b) => compare(nameText(a.info), nameText(b.info)));
}

function identityOf(workload: Json): string {
  const trustDomain = textAt(workload, "trustDomain") || "cluster.local";
  return `spiffe://${trustDomain}/ns/${textAt(workload, "namespace")}/sa/${textAt(workload, "serviceAccount")}`;
}

function isOf(entry: Json, { namespace }: EntryFilter): boolean {
  return namespace === undefined || textAt(entry, "namespace") === namespace;
}

function isNamed(entry: Json, { namespace, name }: NonNullable<EntryFilter["workload"]>): boolean {
  return textAt(entry, "namespace") === namespace && textAt(entry, "name") === name;
}

/** `<name>.<namespace>`, by which Istio sorts. */
function nameText(entry: Json): string {
  return `${textAt(entry, "name")}.${textAt(entry, "namespace")}`;
}

function byName(entries: readonly Json[]): readonly Json[] {
  return entries.toSorted(
    (a, b) =>
      compare(textAt(a, "namespace"), textAt(b, "namespace")) ||
      compare(textAt(a, "name"), textAt(b, "name")),
  );
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
