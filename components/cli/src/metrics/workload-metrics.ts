/** What Prometheus is asked of a workload, and what its answers mean (reference: l7-and-cli §3.6, §5.1). Pure. */

import { isJson, type Json, jsonAt, listAt, objectsAt, textAt } from "../output/json.ts";
import { renderTable } from "../output/table.ts";

export interface WorkloadName {
  readonly name: string;
  readonly namespace: string;
}

export interface WorkloadMetrics extends WorkloadName {
  /** Undefined: Prometheus knows of no request. */
  readonly totalRps: number | undefined;
  readonly errorRps: number | undefined;
  readonly p50Ms: number | undefined;
  readonly p90Ms: number | undefined;
  readonly p99Ms: number | undefined;
}

export type MetricName = Exclude<keyof WorkloadMetrics, keyof WorkloadName>;

/** In ambient mode a waypoint tells of requests; sidecars tell of their own. */
const REPORTERS = 'reporter=~"destination|waypoint"';

/** `windowSeconds`: over which rates are taken. */
export function metricQueries(
  { name, namespace }: WorkloadName,
  windowSeconds: number,
): Readonly<Record<MetricName, string>> {
  const about = `${REPORTERS},destination_workload=${quoted(name)},destination_workload_namespace=${quoted(namespace)}`;
  const rate = (labels: string): string => `sum(rate(istio_requests_total{${labels}}[${windowSeconds}s]))`;
  const quantile = (share: number): string =>
    `histogram_quantile(${share},sum(rate(istio_request_duration_milliseconds_bucket{${about}}[${windowSeconds}s])) by (le))`;
  return {
    totalRps: rate(about),
    errorRps: rate(`${about},response_code=~"[45].{2}"`),
    p50Ms: quantile(0.5),
    p90Ms: quantile(0.9),
    p99Ms: quantile(0.99),
  };
}

/** A text of PromQL. */
function quoted(text: string): string {
  return JSON.stringify(text);
}

/** The one value of an instant query; undefined when there is none, or it is no number. */
export function readQueryValue(answer: unknown): number | undefined {
  if (!isJson(answer) || textAt(answer, "status") !== "success") return undefined;
  const [first]: readonly (Json | undefined)[] = objectsAt(jsonAt(answer, "data"), "result");
  const value = listAt(first, "value")[1];
  const number = typeof value === "string" ? Number(value) : Number.NaN;
  return Number.isFinite(number) ? number : undefined;
}

export function metricsTable(metrics: readonly WorkloadMetrics[]): readonly string[] {
  return renderTable(
    ["WORKLOAD", "TOTAL RPS", "ERROR RPS", "P50 LATENCY", "P90 LATENCY", "P99 LATENCY"],
    metrics.map(({ name, namespace, totalRps, errorRps, p50Ms, p90Ms, p99Ms }) => [
      `${name}.${namespace}`,
      rps(totalRps),
      // Whoever has had requests and no error of them has none.
      rps(errorRps ?? (totalRps === undefined ? undefined : 0)),
      latency(p50Ms),
      latency(p90Ms),
      latency(p99Ms),
    ]),
  );
}

function rps(value: number | undefined): string {
  return value === undefined ? "-" : value.toFixed(3);
}

function latency(ms: number | undefined): string {
  return ms === undefined ? "-" : `${Math.round(ms)}ms`;
}
