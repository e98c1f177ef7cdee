import assert from "node:assert/strict";
import { test } from "node:test";
import { createFakeClock, type FakeClock } from "@meltemi/testkit";
import type { RequestRecord } from "../../proxy/request-record.ts";
import {
  CALLER,
  createTelemetryBench,
  ENDPOINT,
  labelsOf,
  REVIEWS,
  requestContext,
  requestRecord,
  SERVER,
  type TelemetryBench,
  UNKNOWN_CALLER,
} from "../telemetry.fixture.ts";

function bench(): TelemetryBench & { readonly clock: FakeClock } {
  const clock = createFakeClock();
  return Object.assign(createTelemetryBench(clock), { clock });
}

/** Labels of the only sample of a counter. */
function onlyLabels(made: TelemetryBench, sample: string): Map<string, string> {
  const found = made.samples().filter((line) => line.startsWith(`${sample}{`));
  assert.equal(found.length, 1, found.join("\n"));
  return labelsOf(found[0] ?? "");
}

function afterRequest(given: Partial<RequestRecord>) {
  const made = bench();
  made.service().requests.onComplete(requestRecord(given));
  return onlyLabels(made, "istio_requests_total");
}

test("all labels of a request, in order", () => {
  const made = bench();
  made.service().requests.onComplete(requestRecord());
  const line = made.samples().find((each) => each.startsWith("istio_requests_total"));
  assert.equal(
    line,
    'istio_requests_total{reporter="waypoint",source_workload="productpage-v1",source_canonical_service="productpage",source_canonical_revision="v1",source_workload_namespace="default",source_principal="spiffe://cluster.local/ns/default/sa/bookinfo-productpage",source_app="productpage",source_version="v1",source_cluster="Kubernetes",destination_workload="reviews-v2",destination_workload_namespace="default",destination_principal="spiffe://cluster.local/ns/default/sa/bookinfo-reviews",destination_app="reviews",destination_version="v2",destination_service="reviews.default.svc.cluster.local",destination_canonical_service="reviews",destination_canonical_revision="v2",destination_service_name="reviews",destination_service_namespace="default",destination_cluster="Kubernetes",request_protocol="http",response_code="200",grpc_response_status="",response_flags="-",connection_security_policy="mutual_tls"} 1',
  );
});

const GRPC = { status: 5, requestMessages: 2, responseMessages: 3 };
const cases: readonly {
  readonly name: string;
  readonly given: Partial<RequestRecord>;
  readonly want: Readonly<Record<string, string>>;
}[] = [
  {
    name: "gRPC tells its own status",
    given: { grpc: GRPC },
    want: { request_protocol: "grpc", response_code: "200", grpc_response_status: "5" },
  },
  {
    name: "gRPC without a status: what the HTTP status means",
    given: { grpc: { ...GRPC, status: undefined }, responseCode: 503 },
    want: { grpc_response_status: "14" },
  },
  {
    name: "gRPC without any answer has no status",
    given: { grpc: { ...GRPC, status: undefined }, responseCode: 0, responseFlags: ["DC"] },
    want: { grpc_response_status: "", response_code: "0", response_flags: "DC" },
  },
  {
    name: "a status that gRPC does not have is UNKNOWN",
    given: { grpc: { ...GRPC, status: 99_999 } },
    want: { grpc_response_status: "2" },
  },
  {
    name: "several flags are one value",
    given: { responseCode: 503, responseFlags: ["DI", "UF"] },
    want: { response_code: "503", response_flags: "DI,UF" },
  },
  {
    name: "a caller without identity is unknown, and its connection not secured",
    given: { context: requestContext({ caller: UNKNOWN_CALLER }) },
    want: {
      source_workload: "unknown",
      source_principal: "unknown",
      source_canonical_revision: "latest",
      source_version: "unknown",
      connection_security_policy: "none",
    },
  },
  {
    name: "an identity alone is not read from configuration",
    given: { context: requestContext({ caller: { ...CALLER, identity: undefined } }) },
    want: { source_workload: "productpage-v1", source_principal: "unknown" },
  },
  {
    name: "refused before an endpoint was chosen: the service that was asked for",
    given: { upstream: undefined, responseCode: 403 },
    want: {
      destination_service: REVIEWS.hostname,
      destination_service_name: "reviews",
      destination_workload: "unknown",
      destination_principal: "unknown",
    },
  },
  {
    name: "no endpoint in the cluster that a route chose: that cluster's service",
    given: {
      upstream: {
        cluster: "c",
        service: { namespace: "b", hostname: "x.b.svc.cluster.local" },
        endpoint: undefined,
      },
    },
    want: {
      destination_service_name: "x",
      destination_service_namespace: "b",
      destination_workload: "unknown",
    },
  },
  {
    name: "addressed to a workload: no service, but a namespace",
    given: { service: undefined, upstream: undefined },
    want: { destination_service: "unknown", destination_service_name: "unknown" },
  },
  {
    name: "a host name that is no Service's stays whole",
    given: {
      upstream: {
        cluster: "c",
        service: { namespace: "default", hostname: "api.example.com" },
        endpoint: ENDPOINT,
      },
    },
    want: { destination_service_name: "api.example.com", destination_service_namespace: "default" },
  },
];
for (const { name, given, want } of cases) {
  test(`labels: ${name}`, () => {
    const labels = afterRequest(given);
    for (const [label, value] of Object.entries(want)) assert.equal(labels.get(label), value, label);
  });
}

test("histograms and messages are counted beside requests, messages for gRPC only", () => {
  const made = bench();
  const { requests } = made.service();
  requests.onComplete(requestRecord({ durationMs: 12.4, requestBytes: 7, responseBytes: 375 }));
  assert.ok(!made.samples().some((line) => line.includes("messages")));
  requests.onComplete(requestRecord({ grpc: GRPC }));
  const value = (start: string, part: string): string | undefined =>
    made
      .samples()
      .find((line) => line.startsWith(start) && line.includes(part))
      ?.split(" ")
      .at(-1);
  assert.equal(
    value(
      "istio_request_duration_milliseconds_bucket",
      'protocol="http",response_code="200",grpc_response_status="",response_flags="-",connection_security_policy="mutual_tls",le="25.0"',
    ),
    "1",
  );
  assert.equal(value("istio_request_duration_milliseconds_sum", 'protocol="http"'), "12.4");
  assert.equal(value("istio_request_bytes_sum", 'protocol="http"'), "7");
  assert.equal(value("istio_response_bytes_sum", 'protocol="http"'), "375");
  assert.equal(value("istio_request_messages_total", 'protocol="grpc"'), "2");
  assert.equal(value("istio_response_messages_total", 'protocol="grpc"'), "3");
});

test("the same outcome is the same series, for any pod, connection and settings", () => {
  const made = bench();
  made.service().requests.onComplete(requestRecord());
  made.service().requests.onComplete(
    requestRecord({
      context: requestContext({ caller: { ...CALLER, port: 1 } }),
      upstream: {
        cluster: "c",
        service: { ...REVIEWS },
        endpoint: { ...ENDPOINT, workload: { ...SERVER, uid: "other" } },
      },
    }),
  );
  assert.equal(made.samples().filter((line) => line.startsWith("istio_requests_total")).length, 1);
  assert.ok(made.samples().some((line) => line.startsWith("istio_requests_total") && line.endsWith(" 2")));
});

test("one endpoint of two services is counted for each", () => {
  const made = bench();
  const { requests } = made.service();
  requests.onComplete(requestRecord());
  requests.onComplete(
    requestRecord({
      upstream: {
        cluster: "c",
        service: { namespace: "default", hostname: "canary.default.svc.cluster.local" },
        endpoint: ENDPOINT,
      },
    }),
  );
  const names = made
    .samples()
    .filter((line) => line.startsWith("istio_requests_total"))
    .map((line) => labelsOf(line).get("destination_service_name"));
  assert.deepEqual(names, ["reviews", "canary"]);
});

test("series of pods that are gone are forgotten after an hour, and begin again", () => {
  const made = bench();
  const { requests } = made.service();
  requests.onComplete(requestRecord());
  for (let minute = 0; minute < 70; minute += 10) {
    made.clock.advance(10 * 60_000);
    requests.onComplete(requestRecord({ responseCode: 404 }));
  }
  const codes = (): (string | undefined)[] =>
    made
      .samples()
      .filter((line) => line.startsWith("istio_requests_total"))
      .map((line) => labelsOf(line).get("response_code"));
  assert.deepEqual(codes(), ["404"]);
  requests.onComplete(requestRecord());
  assert.deepEqual(codes(), ["404", "200"]);
  assert.ok(made.samples().some((line) => line.includes('response_code="200"') && line.endsWith("} 1")));
});
