/** Labels of the TCP metrics, in Istio's order and with Istio's defaults (reference: protocol §7.2). */

import type { Baggage } from "@meltemi/hbone";
import { formatIdentity, type Identity, type Service, type Workload, workloadIdentity } from "@meltemi/model";
import type { LabelValues } from "@meltemi/telemetry";

export const CONNECTION_LABELS = [
  "reporter",
  "source_workload",
  "source_canonical_service",
  "source_canonical_revision",
  "source_workload_namespace",
  "source_principal",
  "source_app",
  "source_version",
  "source_cluster",
  "destination_service",
  "destination_service_namespace",
  "destination_service_name",
  "destination_workload",
  "destination_canonical_service",
  "destination_canonical_revision",
  "destination_workload_namespace",
  "destination_principal",
  "destination_app",
  "destination_version",
  "destination_cluster",
  "request_protocol",
  "response_flags",
  "connection_security_policy",
  "source_region",
  "source_zone",
  "destination_region",
  "destination_zone",
] as const;

export type ConnectionLabel = (typeof CONNECTION_LABELS)[number];
export type ConnectionLabelValues = LabelValues<ConnectionLabel>;

/** How a connection ended, in Istio's words; `-` is well. */
export type ResponseFlag =
  | "-"
  | "DENY"
  | "CONNECT"
  | "TLS_FAILURE"
  | "H2_HANDSHAKE_FAILURE"
  | "NETWORK_POLICY"
  | "IDENTITY_ERROR"
  | "CERT_REVOKED";

/** What is known of a connection's two ends. */
export interface ConnectionSubject {
  readonly reporter: "source" | "destination";
  readonly source: Workload | undefined;
  /** Proved by TLS, or our own when we present it; never read from configuration. */
  readonly sourceIdentity: Identity | undefined;
  /** What the peer says of itself; used only where configuration does not know it. */
  readonly sourceBaggage?: Baggage | undefined;
  readonly destination: Workload | undefined;
  readonly destinationBaggage?: Baggage | undefined;
  readonly destinationService: Service | undefined;
  /** The destination's identity when it is known otherwise than from its workload (inner leg of double HBONE). */
  readonly destinationIdentity?: Identity | undefined;
  readonly mutualTls: boolean;
}

const UNKNOWN = "unknown";

export function connectionLabels(subject: ConnectionSubject, flag: ResponseFlag): ConnectionLabelValues {
  const source = describe(subject.source, subject.sourceBaggage);
  const destination = describe(subject.destination, subject.destinationBaggage);
  const service = subject.destinationService;
  const destinationIdentity =
    subject.destinationIdentity ?? (subject.destination && workloadIdentity(subject.destination));
  return {
    reporter: subject.reporter,
    source_workload: source.workload,
    source_canonical_service: source.canonicalService,
    source_canonical_revision: source.canonicalRevision,
    source_workload_namespace: source.namespace,
    source_principal: principal(subject.sourceIdentity),
    source_app: source.app,
    source_version: source.canonicalRevision,
    source_cluster: source.cluster,
    destination_service: known(service?.hostname),
    destination_service_namespace: known(service?.namespace),
    destination_service_name: known(service?.name),
    destination_workload: destination.workload,
    destination_canonical_service: destination.canonicalService,
    destination_canonical_revision: destination.canonicalRevision,
    destination_workload_namespace: destination.namespace,
    destination_principal: principal(destinationIdentity),
    destination_app: destination.app,
    destination_version: destination.canonicalRevision,
    destination_cluster: destination.cluster,
    request_protocol: "tcp",
    response_flags: flag,
    connection_security_policy: subject.mutualTls ? "mutual_tls" : UNKNOWN,
    ...localityLabels(subject, source, destination),
  };
}

/** The four locality labels are there together, once either workload is known. */
function localityLabels(
  subject: ConnectionSubject,
  source: Description,
  destination: Description,
): ConnectionLabelValues {
  if (subject.source === undefined && subject.destination === undefined) return {};
  return {
    source_region: source.region,
    source_zone: source.zone,
    destination_region: destination.region,
    destination_zone: destination.zone,
  };
}

interface Description {
  readonly workload: string;
  readonly canonicalService: string;
  readonly canonicalRevision: string;
  readonly namespace: string;
  readonly app: string;
  readonly cluster: string;
  readonly region: string;
  readonly zone: string;
}

function describe(workload: Workload | undefined, baggage: Baggage | undefined): Description {
  if (workload === undefined) return describeBaggage(baggage ?? {});
  return {
    workload: known(workload.workloadName),
    canonicalService: known(workload.canonicalName),
    canonicalRevision: known(workload.canonicalRevision),
    namespace: known(workload.namespace),
    app: known(workload.canonicalName),
    cluster: known(workload.clusterId),
    region: known(workload.locality.region),
    zone: known(workload.locality.zone),
  };
}

function describeBaggage(baggage: Baggage): Description {
  return {
    workload: known(baggage.workloadName),
    canonicalService: known(baggage.serviceName),
    canonicalRevision: known(baggage.revision),
    namespace: known(baggage.namespace),
    // From baggage alone Istio takes the workload's name here.
    app: known(baggage.workloadName),
    cluster: known(baggage.cluster),
    region: known(baggage.region),
    zone: known(baggage.zone),
  };
}

function principal(identity: Identity | undefined): string {
  return identity === undefined ? UNKNOWN : formatIdentity(identity);
}

function known(value: string | undefined): string {
  return value === undefined || value === "" ? UNKNOWN : value;
}
