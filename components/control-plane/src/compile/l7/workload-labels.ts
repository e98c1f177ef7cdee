/** Labels of workloads, under the uids that they are sent by: what subsets and source matches choose by. */

import type { WorkloadLabels } from "@meltemi/xds";
import type { EndpointFacts, Labels, PodFacts, ServiceEntryFacts, WorkloadEntryFacts } from "../facts.ts";
import type { Output } from "../graph.ts";
import type { Compilation } from "../workload-parts.ts";

/** A workload without labels needs no resource. */
export function podLabels(
  { namespace, name, labels, terminated, ips }: PodFacts,
  { settings }: Compilation,
): readonly Output<WorkloadLabels>[] {
  if (terminated || ips.length === 0) return [];
  return labelsOf(`${settings.clusterId}//Pod/${namespace}/${name}`, labels);
}

export function entryLabels(
  { namespace, name, labels, endpoint }: WorkloadEntryFacts,
  { settings }: Compilation,
): readonly Output<WorkloadLabels>[] {
  const uid = `${settings.clusterId}/networking.istio.io/WorkloadEntry/${namespace}/${name}`;
  return labelsOf(uid, { ...labels, ...endpoint.labels });
}

export function serviceEntryLabels(
  { namespace, name, endpoints }: ServiceEntryFacts,
  { settings }: Compilation,
): readonly Output<WorkloadLabels>[] {
  const prefix = `${settings.clusterId}/networking.istio.io/ServiceEntry/${namespace}/${name}`;
  return endpoints.flatMap(({ address, labels }: EndpointFacts) =>
    address === undefined
      ? []
      : labelsOf(`${prefix}/${address.kind === "ip" ? address.ip : address.hostname}`, labels),
  );
}

function labelsOf(uid: string, labels: Labels): readonly Output<WorkloadLabels>[] {
  const entries = Object.entries(labels);
  return entries.length === 0 ? [] : [{ key: uid, value: { uid, labels: new Map(entries) } }];
}
