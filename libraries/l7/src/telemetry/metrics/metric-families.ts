/** The families of a waypoint in its registry, and their bound. */

import type { Counter, Histogram, Registry, SharedFamily, SharedSeries } from "@meltemi/telemetry";
import { HISTOGRAM_BUCKETS } from "./metric-names.ts";

/**
 * Label sets of one process. One is at most 67 lines of 1.2 KB when it is scraped, so that this many are 320 MB at worst, and
 * 12 MB of memory; a mesh of 50 services with 20 callers and 3 kinds of answer each has 3000.
 */
const MAX_LABEL_SETS = 4000;
/** What nobody counted into for an hour belongs to workloads that are gone, or may begin again at zero. */
export const SWEEP_INTERVAL_MS: number = 5 * 60_000;
const IDLE_SWEEPS = 12;

export interface MetricFamilies {
  readonly series: SharedSeries;
  readonly requests: SharedFamily<Counter>;
  readonly duration: SharedFamily<Histogram>;
  readonly requestBytes: SharedFamily<Histogram>;
  readonly responseBytes: SharedFamily<Histogram>;
  readonly requestMessages: SharedFamily<Counter>;
  readonly responseMessages: SharedFamily<Counter>;
  readonly opened: SharedFamily<Counter>;
  readonly closed: SharedFamily<Counter>;
  readonly sentBytes: SharedFamily<Counter>;
  readonly receivedBytes: SharedFamily<Counter>;
}

export function createMetricFamilies(registry: Registry): MetricFamilies {
  const series = registry.sharedSeries({ maxLabelSets: MAX_LABEL_SETS, idleSweeps: IDLE_SWEEPS });
  const counter = (name: string, help: string): SharedFamily<Counter> =>
    series.counter({ name, help, stable: true });
  const histogram = (name: string, help: string): SharedFamily<Histogram> =>
    series.histogram({ name, help, stable: true, buckets: HISTOGRAM_BUCKETS });
  return {
    series,
    requests: counter("istio_requests_total", "Requests that were answered, or given up"),
    duration: histogram(
      "istio_request_duration_milliseconds",
      "From a request's head to the end of its answer",
    ),
    requestBytes: histogram("istio_request_bytes", "Body of a request"),
    responseBytes: histogram("istio_response_bytes", "Body of a response"),
    requestMessages: counter("istio_request_messages_total", "gRPC messages from clients"),
    responseMessages: counter("istio_response_messages_total", "gRPC messages to clients"),
    opened: counter("istio_tcp_connections_opened_total", "Connections opened"),
    closed: counter("istio_tcp_connections_closed_total", "Connections closed"),
    sentBytes: counter("istio_tcp_sent_bytes_total", "Bytes sent to clients"),
    receivedBytes: counter("istio_tcp_received_bytes_total", "Bytes received from clients"),
  };
}
