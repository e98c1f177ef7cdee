/** Metrics of distribution under the names that Istio's dashboards and alerts use (reference: l7-and-cli §5.4). */

import type { Counter, Gauge, Histogram, Registry } from "@meltemi/telemetry";

export interface DistributionMetrics {
  /** Streams open now. */
  readonly clients: Gauge;
  pushed(typeUrl: string): void;
  rejected(typeUrl: string): void;
  expiredNonce(typeUrl: string): void;
  triggered(kind: string): void;
  readonly internalErrors: Gauge;
  readonly unansweredResponses: Gauge;
  readonly configBytes: Histogram;
  /** Seconds from a change to the answer of a client that has it. */
  readonly convergence: Histogram;
  /** Seconds that changes were gathered. */
  readonly debounce: Histogram;
  readonly refusedStreams: (reason: string) => Counter;
  /** Objects of a kind that cannot be read now. */
  refusedObjects(kind: string, count: number): void;
}

const SECONDS = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 3, 5, 10, 20, 30];
const BYTES = [1e3, 1e4, 1e5, 1e6, 4e6, 1e7, 4e7, 1e8];

/**
 * Istio's counters carry no `_total`, which OpenMetrics demands of its own. They are registered as gauges so that their names
 * stay what dashboards ask for.
 */
export function createDistributionMetrics(registry: Registry): DistributionMetrics {
  const counter = <L extends string>(name: string, help: string, labels: readonly L[]) =>
    registry.gauge<L>({ name, help, labels });
  const pushes = counter("pilot_xds_pushes", "Responses sent to data plane clients", ["type"]);
  const rejects = counter("pilot_total_xds_rejects", "Responses that clients refused in part or whole", [
    "type",
  ]);
  const expired = counter("pilot_xds_expired_nonce", "Answers to a response that was not the last", ["type"]);
  const triggers = counter("pilot_push_triggers", "Pushes by the kind of object that changed", ["type"]);
  const refused = registry.counter<"reason">({
    name: "meltemi_xds_streams_refused",
    help: "Delta streams that were refused",
    labels: ["reason"],
  });
  const refusedObjects = registry.gauge<"kind">({
    name: "meltemi_refused_objects",
    help: "Objects of the API that cannot be read; their status or the log says why",
    labels: ["kind"],
  });
  const histogram = (name: string, help: string, buckets: readonly number[]): Histogram =>
    registry.histogram({ name, help, buckets }).labels();
  return {
    clients: registry.gauge({ name: "pilot_xds", help: "Data plane clients connected" }).labels(),
    pushed: (typeUrl) => pushes.labels({ type: shortType(typeUrl) }).add(1),
    rejected: (typeUrl) => rejects.labels({ type: shortType(typeUrl) }).add(1),
    expiredNonce: (typeUrl) => expired.labels({ type: shortType(typeUrl) }).add(1),
    triggered: (kind) => triggers.labels({ type: kind }).add(1),
    internalErrors: registry
      .gauge({ name: "pilot_total_xds_internal_errors", help: "Streams ended by a fault of this process" })
      .labels(),
    unansweredResponses: registry
      .gauge({ name: "pilot_xds_write_timeout", help: "Responses that a client did not answer in time" })
      .labels(),
    configBytes: histogram("pilot_xds_config_size_bytes", "Size of responses", BYTES),
    convergence: histogram(
      "pilot_proxy_convergence_time",
      "Seconds from a change to its acknowledgement by a client",
      SECONDS,
    ),
    debounce: histogram("pilot_debounce_time", "Seconds from the first change to the push", SECONDS),
    refusedObjects: (kind, count) => refusedObjects.labels({ kind }).set(count),
    refusedStreams: (reason) => refused.labels({ reason }),
  };
}

/** `type.googleapis.com/istio.workload.Address` → `istio.workload.Address`. */
function shortType(typeUrl: string): string {
  return typeUrl.slice(typeUrl.lastIndexOf("/") + 1);
}
