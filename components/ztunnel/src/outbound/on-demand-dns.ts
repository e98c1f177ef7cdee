/** Host names of endpoints, resolved for a connection and counted by who connects (reference: protocol §7.3). */

import type { Ip, Workload } from "@meltemi/model";
import type { HostnameResolver } from "@meltemi/proxy-process";
import type { Counter, Family, LabelValues, Registry } from "@meltemi/telemetry";
import { connectionLabels } from "../telemetry/connection-labels.ts";

const LABELS = [
  "source_workload",
  "source_canonical_service",
  "source_canonical_revision",
  "source_workload_namespace",
  "source_principal",
  "source_app",
  "source_version",
  "source_cluster",
  "hostname",
] as const;
type OnDemandLabel = (typeof LABELS)[number];

export interface OnDemandDns {
  /** All addresses; none when the name does not resolve. Never rejects. */
  resolve(hostname: string, client: Workload): Promise<readonly Ip[]>;
}

export function createOnDemandDns(deps: {
  readonly registry: Registry;
  readonly resolver: HostnameResolver;
}): OnDemandDns {
  const requests: Family<OnDemandLabel, Counter> = deps.registry.counter({
    name: "istio_on_demand_dns",
    help: "The total number of requests that used on-demand DNS",
    labels: LABELS,
  });
  return {
    resolve(hostname, client) {
      requests.labels(labelsOf(client, hostname)).inc();
      return deps.resolver.resolve(hostname);
    },
  };
}

function labelsOf(client: Workload, hostname: string): LabelValues<OnDemandLabel> {
  const labels = connectionLabels(
    {
      reporter: "source",
      source: client,
      sourceIdentity: undefined,
      destination: undefined,
      destinationService: undefined,
      mutualTls: false,
    },
    "-",
  );
  const own: Partial<Record<OnDemandLabel, string | undefined>> = { hostname };
  for (const label of LABELS) if (label !== "hostname") own[label] = labels[label];
  return own;
}
