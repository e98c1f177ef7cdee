/** Metrics of the DNS proxy (reference: protocol §7.3). */

import type { Workload } from "@meltemi/model";
import type { Registry } from "@meltemi/telemetry";

const LABELS = [
  "request_query_type",
  "request_protocol",
  "source_canonical_service",
  "source_canonical_revision",
] as const;

type Transport = "udp" | "tcp";

export interface DnsMetrics {
  request(type: string, transport: Transport, client: Workload): void;
  /** A question was sent on, and answered or given up after this time. */
  forwarded(type: string, transport: Transport, client: Workload, seconds: number): void;
  forwardFailed(type: string, transport: Transport, client: Workload): void;
}

export function createDnsMetrics(registry: Registry): DnsMetrics {
  const requests = registry.counter({
    name: "istio_dns_requests",
    help: "Total number of DNS requests",
    labels: LABELS,
  });
  const forwarded = registry.counter({
    name: "istio_dns_upstream_requests",
    help: "Total number of DNS requests forwarded to upstream",
    labels: LABELS,
  });
  const failures = registry.counter({
    name: "istio_dns_upstream_failures",
    help: "Total number of DNS requests forwarded to upstream that failed",
    labels: LABELS,
  });
  const durations = registry.histogram({
    name: "istio_dns_upstream_request_duration_seconds",
    help: "Total time in seconds Istio takes to get DNS response from upstream",
    labels: LABELS,
    buckets: [0.0005, 0.001, 0.01, 0.1, 1, 5],
  });
  const labels = (type: string, transport: Transport, client: Workload) => ({
    // There are 65 536 types; those without a name share one series.
    request_query_type: type.startsWith("UNKNOWN") ? "unknown" : type.toLowerCase(),
    request_protocol: transport,
    source_canonical_service: client.canonicalName || "unknown",
    source_canonical_revision: client.canonicalRevision || "unknown",
  });
  return {
    request: (type, transport, client) => requests.labels(labels(type, transport, client)).inc(),
    forwarded(type, transport, client, seconds) {
      forwarded.labels(labels(type, transport, client)).inc();
      durations.labels(labels(type, transport, client)).observe(seconds);
    },
    forwardFailed: (type, transport, client) => failures.labels(labels(type, transport, client)).inc(),
  };
}
