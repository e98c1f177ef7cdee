import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { metricQueries, metricsTable, readQueryValue } from "./workload-metrics.ts";

test("a workload's requests are those that its waypoint or its sidecar tells of", () => {
  const queries = metricQueries({ name: 'se"rver', namespace: "shop" }, 60);
  const about =
    'reporter=~"destination|waypoint",destination_workload="se\\"rver",destination_workload_namespace="shop"';
  assert.equal(queries.totalRps, `sum(rate(istio_requests_total{${about}}[60s]))`);
  assert.equal(queries.errorRps, `sum(rate(istio_requests_total{${about},response_code=~"[45].{2}"}[60s]))`);
  assert.equal(
    queries.p99Ms,
    `histogram_quantile(0.99,sum(rate(istio_request_duration_milliseconds_bucket{${about}}[60s])) by (le))`,
  );
});

const ANSWERS = [
  { name: "a value", answer: result([1_700_000_000, "1.5"]), want: 1.5 },
  { name: "no request", answer: { status: "success", data: { result: [] } }, want: undefined },
  { name: "no quantile", answer: result([1_700_000_000, "NaN"]), want: undefined },
  { name: "an error", answer: { status: "error", error: "x" }, want: undefined },
  { name: "something else", answer: [1], want: undefined },
  { name: "values of another shape", answer: result({}), want: undefined },
];
function result(value: unknown): object {
  return { status: "success", data: { resultType: "vector", result: [{ metric: {}, value }] } };
}
for (const { name, answer, want } of ANSWERS)
  test(`an answer of Prometheus: ${name}`, () => assert.equal(readQueryValue(answer), want));

test("the table has Istio's columns", () =>
  assert.deepEqual(
    metricsTable([
      {
        name: "server",
        namespace: "shop",
        totalRps: 2,
        errorRps: undefined,
        p50Ms: 1.6,
        p90Ms: 10,
        p99Ms: 100,
      },
      {
        name: "idle",
        namespace: "shop",
        totalRps: undefined,
        errorRps: undefined,
        p50Ms: undefined,
        p90Ms: undefined,
        p99Ms: undefined,
      },
    ]),
    [
      "WORKLOAD        TOTAL RPS     ERROR RPS     P50 LATENCY     P90 LATENCY     P99 LATENCY",
      "server.shop     2.000         0.000         2ms             10ms            100ms",
      "idle.shop       -             -             -               -               -",
    ],
  ));

test("any answer is a number or none", () =>
  fc.assert(
    fc.property(fc.jsonValue(), (answer) => {
      const value = readQueryValue(answer);
      assert.ok(value === undefined || Number.isFinite(value));
    }),
    { numRuns: 200 },
  ));
