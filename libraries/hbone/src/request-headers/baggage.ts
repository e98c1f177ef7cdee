/** The `baggage` header: a workload described to the far side, for its metrics only (reference: protocol §1.4). */

import type { Workload } from "@meltemi/model";

/** What baggage may say of a workload. It is unproved: nothing but telemetry reads it. */
export interface Baggage {
  readonly cluster?: string;
  readonly namespace?: string;
  readonly workloadName?: string;
  readonly workloadType?: string;
  readonly serviceName?: string;
  readonly revision?: string;
  readonly region?: string;
  readonly zone?: string;
}

const WORKLOAD_NAME = /^k8s\.(deployment|cronjob|pod|job)\.name$/;

const FIELD_OF: ReadonlyMap<string, keyof Baggage> = new Map([
  ["k8s.cluster.name", "cluster"],
  ["k8s.namespace.name", "namespace"],
  ["service.name", "serviceName"],
  ["service.version", "revision"],
  ["cloud.region", "region"],
  ["cloud.availability_zone", "zone"],
]);

/** Values become metric labels: longer ones than any Kubernetes name are cut from memory, not kept. */
const MAX_VALUE_LENGTH = 253;
/** A describing header has eight entries; the rest of a longer one is not read. */
const MAX_ENTRIES = 64;

export function encodeBaggage(workload: Workload): string {
  const entries: readonly (readonly [string, string])[] = [
    ["k8s.cluster.name", workload.clusterId],
    ["k8s.namespace.name", workload.namespace],
    [`k8s.${workload.workloadType}.name`, workload.workloadName],
    ["service.name", workload.canonicalName],
    ["service.version", workload.canonicalRevision],
    ["cloud.region", workload.locality.region],
    ["cloud.availability_zone", workload.locality.zone],
  ];
  return entries
    .filter(([, value]) => value !== "")
    .map(([key, value]) => `${key}=${value}`)
    .join(",");
}

/** Reads all instances of the header; what is unknown or malformed is passed over. */
export function parseBaggage(headers: readonly string[]): Baggage {
  const found: { -readonly [K in keyof Baggage]: Baggage[K] } = {};
  for (const entry of headers.flatMap((header) => header.split(",", MAX_ENTRIES))) {
    const [key = "", value = ""] = entry.split("=");
    if (value === "" || value.length > MAX_VALUE_LENGTH) continue;
    const field = FIELD_OF.get(key);
    const type = WORKLOAD_NAME.exec(key)?.[1];
    if (field !== undefined) found[field] = value;
    else if (type !== undefined) {
      found.workloadType = type;
      found.workloadName = value;
    }
  }
  return found;
}
