/** Istio's labels for requests and connections at a waypoint: names, order, and what stands in them (reference: protocol §7.4, l7-and-cli §5.2). */

import { formatIdentity, type NamespacedHostname, type Workload, workloadIdentity } from "@meltemi/model";
import type { Caller } from "../../request-context.ts";

export const STANDARD_LABELS = [
  "reporter",
  "source_workload",
  "source_canonical_service",
  "source_canonical_revision",
  "source_workload_namespace",
  "source_principal",
  "source_app",
  "source_version",
  "source_cluster",
  "destination_workload",
  "destination_workload_namespace",
  "destination_principal",
  "destination_app",
  "destination_version",
  "destination_service",
  "destination_canonical_service",
  "destination_canonical_revision",
  "destination_service_name",
  "destination_service_namespace",
  "destination_cluster",
  "request_protocol",
  "response_code",
  "grpc_response_status",
  "response_flags",
  "connection_security_policy",
] as const;

export type StandardLabel = (typeof STANDARD_LABELS)[number];

/** Only of requests: connections have no answer. */
export const REQUEST_ONLY_LABELS: ReadonlySet<string> = new Set<StandardLabel>([
  "response_code",
  "grpc_response_status",
]);

export type SourceLabel = Extract<StandardLabel, `source_${string}`> | "connection_security_policy";
export type DestinationLabel = Extract<StandardLabel, `destination_${string}`>;
export type OutcomeLabel = Exclude<StandardLabel, SourceLabel | DestinationLabel | "reporter">;

export const UNKNOWN = "unknown";
/** Istio's word for a workload that says no version. */
const LATEST = "latest";

export function sourceLabels({ identity, workload }: Caller): Readonly<Record<SourceLabel, string>> {
  return {
    source_workload: known(workload?.workloadName),
    source_canonical_service: known(workload?.canonicalName),
    source_canonical_revision: workload?.canonicalRevision || LATEST,
    source_workload_namespace: known(workload?.namespace),
    // Only what the handshake proved, never what the configuration says of an address.
    source_principal: identity === undefined ? UNKNOWN : formatIdentity(identity),
    source_app: known(workload?.canonicalName),
    source_version: known(workload?.canonicalRevision),
    source_cluster: known(workload?.clusterId),
    connection_security_policy: identity === undefined ? "none" : "mutual_tls",
  };
}

/** `service`: that was forwarded to, else the one that was asked for. */
export function destinationLabels(
  service: NamespacedHostname | undefined,
  workload: Workload | undefined,
): Readonly<Record<DestinationLabel, string>> {
  return {
    destination_workload: known(workload?.workloadName),
    destination_workload_namespace: known(workload?.namespace),
    destination_principal: workload === undefined ? UNKNOWN : formatIdentity(workloadIdentity(workload)),
    destination_app: known(workload?.canonicalName),
    destination_version: known(workload?.canonicalRevision),
    destination_service: known(service?.hostname),
    destination_canonical_service: known(workload?.canonicalName),
    destination_canonical_revision: workload?.canonicalRevision || LATEST,
    destination_service_name: service === undefined ? UNKNOWN : shortName(service),
    destination_service_namespace: known(service?.namespace ?? workload?.namespace),
    destination_cluster: known(workload?.clusterId),
  };
}

function known(value: string | undefined): string {
  return value || UNKNOWN;
}

/** A Service's own name; the whole host name of what a ServiceEntry brought in. */
function shortName({ namespace, hostname }: NamespacedHostname): string {
  const end = hostname.indexOf(`.${namespace}.svc`);
  return end > 0 && hostname.indexOf(".") === end ? hostname.slice(0, end) : hostname;
}
