/** The families of a waypoint (reference: l7-and-cli §5.1). Dashboards and Kiali know them by these names. */

export const REQUEST_METRICS = [
  "istio_requests_total",
  "istio_request_duration_milliseconds",
  "istio_request_bytes",
  "istio_response_bytes",
  "istio_request_messages_total",
  "istio_response_messages_total",
] as const;

export const TCP_METRICS = [
  "istio_tcp_connections_opened_total",
  "istio_tcp_connections_closed_total",
  "istio_tcp_sent_bytes_total",
  "istio_tcp_received_bytes_total",
] as const;

export type RequestMetric = (typeof REQUEST_METRICS)[number];
export type TcpMetric = (typeof TCP_METRICS)[number];
export type MetricName = RequestMetric | TcpMetric;

/** Of milliseconds and of bytes alike, as Envoy has it. */
export const HISTOGRAM_BUCKETS: readonly number[] = [
  0.5, 1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000, 60_000, 300_000, 600_000, 1_800_000,
  3_600_000,
];
