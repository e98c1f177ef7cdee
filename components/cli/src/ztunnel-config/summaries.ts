/** The parts of a dump that `ztunnel-config` shows, each with how it is chosen and printed. */

import type { Json } from "../output/json.ts";
import {
  certificatesOf,
  connectionsOf,
  type EntryFilter,
  policiesOf,
  servicesOf,
  type WorkloadConnections,
  workloadsOf,
} from "./entries.ts";
import { certificateTable, connectionTable, policyTable, serviceTable, workloadTable } from "./tables.ts";

export interface TableOptions {
  readonly nowMs: number;
  readonly raw: boolean;
}

export interface Summary {
  readonly key: "workloads" | "services" | "policies" | "certificates" | "connections";
  readonly title: string;
  select(dump: Json, filter: EntryFilter): readonly unknown[];
  table(entries: readonly unknown[], dump: Json, options: TableOptions): readonly string[];
}

/** `entries` of a table are those that its own `select` gave. */
function summary<T>(
  key: Summary["key"],
  title: string,
  select: (dump: Json, filter: EntryFilter) => readonly T[],
  table: (entries: readonly T[], dump: Json, options: TableOptions) => readonly string[],
): Summary {
  return {
    key,
    title,
    select,
    table: (entries, dump, options) => table(entries as readonly T[], dump, options),
  };
}

export const SUMMARIES: Readonly<Record<Summary["key"], Summary>> = {
  workloads: summary("workloads", "Workloads", workloadsOf, workloadTable),
  services: summary("services", "Services", servicesOf, serviceTable),
  policies: summary("policies", "Policies", policiesOf, policyTable),
  certificates: summary("certificates", "Certificates", certificatesOf, (entries, _dump, { nowMs }) =>
    certificateTable(entries, nowMs),
  ),
  connections: summary<WorkloadConnections>(
    "connections",
    "Connections",
    connectionsOf,
    (entries, dump, { raw }) => connectionTable(entries, dump, raw),
  ),
};
