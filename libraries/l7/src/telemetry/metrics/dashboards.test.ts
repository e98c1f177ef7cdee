/**
 * The contract with Kiali's graph and Istio's Grafana boards: every label that their queries group by or select is on every series
 * that they read (reference: l7-and-cli §5.7, and the boards of Istio's samples). A series without one of them is not drawn.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { createFakeClock } from "@meltemi/testkit";
import { createProxyBench } from "../../proxy/proxy.fixture.ts";
import {
  createTelemetryBench,
  labelsOf,
  requestContext,
  requestRecord,
  tcpRecord,
  UNKNOWN_CALLER,
} from "../telemetry.fixture.ts";

const GRPC = { status: 0, requestMessages: 4, responseMessages: 2 };

/** One plain request, one of gRPC, one connection, one request that was refused and one that failed in the proxy. */
async function samples(): Promise<readonly string[]> {
  const clock = createFakeClock();
  const { service, samples: read } = createTelemetryBench(clock);
  const { requests, connections } = service();
  requests.onComplete(requestRecord());
  requests.onComplete(requestRecord({ grpc: GRPC }));
  requests.onComplete(
    requestRecord({
      context: requestContext({ caller: UNKNOWN_CALLER }),
      upstream: undefined,
      responseCode: 403,
      responseFlags: [],
    }),
  );
  const record = tcpRecord();
  connections.onOpened(record, { receivedBytes: 0, sentBytes: 0 });
  connections.onComplete(record);
  const proxy = createProxyBench(clock);
  for (const uid of ["a", "b", "c"]) proxy.refusing.add(uid);
  proxy.send();
  await clock.settle(1000);
  assert.equal(proxy.records.length, 1);
  for (const failed of proxy.records) requests.onComplete(failed);
  return read().filter((line) => line.startsWith("istio_"));
}

const EDGE = [
  "source_cluster",
  "source_workload_namespace",
  "source_workload",
  "source_canonical_service",
  "source_canonical_revision",
  "destination_cluster",
  "destination_service_namespace",
  "destination_service",
  "destination_service_name",
  "destination_workload_namespace",
  "destination_workload",
  "destination_canonical_service",
  "destination_canonical_revision",
  "response_flags",
] as const;
const SECURITY = ["source_principal", "destination_principal", "connection_security_policy"] as const;

const queries: readonly {
  readonly who: string;
  readonly metric: RegExp;
  readonly labels: readonly string[];
}[] = [
  {
    who: "Kiali, HTTP edges",
    metric: /^istio_requests_total/,
    labels: [...EDGE, "request_protocol", "response_code", "grpc_response_status"],
  },
  {
    who: "Kiali, gRPC messages",
    metric: /^istio_(?:request|response)_messages_total/,
    labels: [...EDGE, "request_protocol"],
  },
  { who: "Kiali, TCP edges", metric: /^istio_tcp_(?:sent|received)_bytes_total/, labels: EDGE },
  { who: "Kiali, security", metric: /^istio_(?:requests|tcp_\w+_bytes)_total/, labels: SECURITY },
  {
    who: "Kiali, response times",
    metric: /^istio_request_duration_milliseconds_(?:bucket|sum|count)/,
    labels: [...EDGE, "reporter"],
  },
  {
    who: "Grafana, mesh",
    metric: /^istio_(?:requests_total|request_duration_milliseconds_bucket)/,
    labels: [
      "reporter",
      "destination_service",
      "destination_workload",
      "destination_workload_namespace",
      "response_code",
    ],
  },
  {
    who: "Grafana, mesh TCP",
    metric: /^istio_tcp_(?:sent|received)_bytes_total/,
    labels: ["reporter", "destination_service", "destination_workload", "destination_workload_namespace"],
  },
  {
    who: "Grafana, service and workload",
    metric:
      /^istio_(?:requests_total|request_duration_milliseconds_\w+|request_bytes_\w+|response_bytes_\w+)/,
    labels: [
      "reporter",
      "connection_security_policy",
      "destination_service",
      "destination_workload",
      "destination_workload_namespace",
      "source_workload",
      "source_workload_namespace",
      "response_code",
      "source_canonical_service",
    ],
  },
  {
    who: "Grafana, connections",
    metric: /^istio_tcp_connections_(?:opened|closed)_total/,
    labels: [
      "reporter",
      "connection_security_policy",
      "destination_service",
      "source_workload",
      "source_workload_namespace",
    ],
  },
];
for (const { who, metric, labels } of queries)
  test(`${who}: every label is on every series`, async () => {
    const found = (await samples()).filter((line) => metric.test(line));
    assert.ok(found.length > 0);
    for (const line of found) {
      const have = labelsOf(line);
      for (const label of labels) assert.ok(have.has(label), `${label} is missing in ${line}`);
      assert.equal(have.get("reporter"), "waypoint");
      for (const [name, value] of have)
        assert.ok(value !== "" || name === "grpc_response_status", `${name} is empty in ${line}`);
    }
  });

test("what Kiali takes for the outcome of each request", async () => {
  const outcomes = (await samples())
    .filter((line) => line.startsWith("istio_requests_total"))
    .map((line) => {
      const labels = labelsOf(line);
      // Prometheus keeps no label whose value is empty.
      const grpc = labels.get("grpc_response_status") || "absent";
      return `${labels.get("request_protocol")} ${labels.get("response_code")} ${grpc} ${labels.get("response_flags")}`;
    });
  assert.deepEqual(outcomes, [
    "http 200 absent -",
    "grpc 200 0 -",
    "http 403 absent -",
    "http 503 absent UF",
  ]);
});

test("a request in the reporters that each direction asks for is counted once", async () => {
  const lines = (await samples()).filter((line) => line.startsWith("istio_requests_total"));
  for (const selector of [/^(?:source|waypoint)$/, /^(?:waypoint|destination)$/])
    assert.ok(lines.every((line) => selector.test(labelsOf(line).get("reporter") ?? "")));
  assert.equal(new Set(lines).size, lines.length);
});
