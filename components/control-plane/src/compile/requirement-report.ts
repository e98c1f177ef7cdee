/** What became of the demand for a waypoint: for the status of the Service. */

import type { Workload } from "@meltemi/model";
import { type BindingReport, bindingKey } from "./binding-report.ts";
import type { Output } from "./graph.ts";
import { serviceHostname } from "./mesh-collections.ts";
import type { Compilation } from "./workload-parts.ts";

/** A workload that anybody can connect to, because no ztunnel stands before it. */
export interface UnguardedWorkload {
  readonly name: string;
  /** `namespace/hostname` of each service that it backs. */
  readonly services: readonly string[];
}

export interface RequirementReport {
  readonly report: BindingReport;
  /** Names of the first of them, sorted, and how many there are. */
  readonly unguarded: { readonly names: readonly string[]; readonly count: number };
}

/** A condition is read by people, who look at one and find the others alike. */
const MAX_NAMED_WORKLOADS = 5;

/** Not captured, on the host's network, or with a proxy of its own, which is told no policy of ours. */
export function compileUnguarded(workload: Workload): readonly Output<UnguardedWorkload>[] {
  const { uid, name, services, tunnelProtocol, nativeTunnel, networkMode } = workload;
  if (tunnelProtocol === "hbone" && !nativeTunnel && networkMode === "standard") return [];
  return [{ key: uid, value: { name, services: [...services.keys()] } }];
}

export function reportRequirement(
  report: BindingReport,
  { outputs, read, settings }: Compilation,
): readonly Output<RequirementReport>[] {
  if (report.demand === undefined) return [];
  const service = `${report.namespace}/${serviceHostname(report, settings)}`;
  const names = read.by(outputs.unguardedWorkloads, "service", service).map(({ name }) => name);
  const unguarded = { names: names.sort().slice(0, MAX_NAMED_WORKLOADS), count: names.length };
  return [{ key: bindingKey(report.kind, report), value: { report, unguarded } }];
}
