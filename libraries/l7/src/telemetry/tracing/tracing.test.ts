import assert from "node:assert/strict";
import { test } from "node:test";
import type { TracingSettings } from "@meltemi/model/l7";
import { createFakeClock } from "@meltemi/testkit";
import type { RequestRecord } from "../../proxy/request-record.ts";
import {
  createTelemetryBench,
  requestContext,
  requestRecord,
  type TelemetryBench,
} from "../telemetry.fixture.ts";

const TRACE = "4bf92f3577b34da6a3ce929d0e0e4736";
const SPAN = "00f067aa0ba902b7";
const OTLP: TracingSettings = {
  collector: { protocol: "otlpHttp", cluster: "collector", path: "/v1/traces" },
  samplingPercent: 100,
  customTags: [],
};
const ZIPKIN: TracingSettings = {
  ...OTLP,
  collector: { protocol: "zipkin", cluster: "zipkin", path: "/api/v2/spans" },
};

function bench() {
  const clock = createFakeClock();
  return Object.assign(createTelemetryBench(clock), { clock });
}

/** One request through a tracer; returns the head that goes on. */
function trace(
  made: TelemetryBench,
  tracing: TracingSettings,
  headers: readonly (readonly [string, string])[] = [],
  given: Partial<RequestRecord> = {},
) {
  const { tracer } = made.service({ tracing });
  const context = requestContext({}, ...headers);
  tracer?.begin(context)?.end(requestRecord({ context, ...given }));
  return context.request.headers;
}

interface OtlpSpan {
  readonly traceId: string;
  readonly parentSpanId?: string;
  readonly attributes: readonly { readonly key: string; readonly value: { readonly stringValue: string } }[];
}

async function otlpSpans(made: ReturnType<typeof bench>): Promise<OtlpSpan[]> {
  await made.clock.settle(1000);
  return made.posts.flatMap(({ body }) => JSON.parse(body).resourceSpans[0].scopeSpans[0].spans);
}

test("a sampled request becomes a span of OTLP", async () => {
  const made = bench();
  const headers = trace(made, OTLP, [
    ["traceparent", `00-${TRACE}-${SPAN}-01`],
    ["tracestate", "a=1"],
  ]);
  assert.equal(headers.get("traceparent"), `00-${TRACE}-8000000080000000-01`);
  assert.equal(headers.get("x-request-id"), "the-request-id");
  const [span] = await otlpSpans(made);
  const { attributes = [], ...rest } = span ?? {};
  assert.deepEqual(rest, {
    traceId: TRACE,
    spanId: "8000000080000000",
    parentSpanId: SPAN,
    traceState: "a=1",
    name: "reviews.default.svc.cluster.local:9080/*",
    kind: 2,
    startTimeUnixNano: "1735787045678000000",
    endTimeUnixNano: "1735787045690400000",
    status: {},
  });
  const tags = Object.fromEntries(attributes.map(({ key, value }) => [key, value.stringValue]));
  assert.deepEqual(tags, {
    component: "proxy",
    node_id: "waypoint-abc.default",
    "istio.canonical_service": "waypoint",
    "istio.canonical_revision": "latest",
    "istio.mesh_id": "cluster.local",
    "istio.namespace": "default",
    "istio.cluster_id": "Kubernetes",
    "istio.source_workload": "productpage-v1",
    "istio.source_workload_type": "deployment",
    "istio.source_namespace": "default",
    "istio.source_app": "productpage",
    "istio.source_app_version": "v1",
    "istio.source_canonical_service": "productpage",
    "istio.source_canonical_revision": "v1",
    "istio.source_cluster_id": "Kubernetes",
    "istio.source_instance_name": "productpage-7b9-x2x",
    "istio.destination_workload": "reviews-v2",
    "istio.destination_workload_type": "deployment",
    "istio.destination_namespace": "default",
    "istio.destination_app": "reviews",
    "istio.destination_app_version": "v2",
    "istio.destination_canonical_service": "reviews",
    "istio.destination_canonical_revision": "v2",
    "istio.destination_cluster_id": "Kubernetes",
    "istio.destination_instance_name": "reviews-v2-5c4-9zz",
    "http.url": "http://reviews:9080/reviews/0?full=1",
    "http.method": "GET",
    "http.protocol": "HTTP/1.1",
    "http.status_code": "200",
    user_agent: "curl/8",
    "guid:x-request-id": "the-request-id",
    request_size: "0",
    response_size: "375",
    response_flags: "-",
    "peer.address": "10.0.1.1:40000",
    upstream_cluster: "inbound-vip|9080|http|reviews.default.svc.cluster.local",
    upstream_address: "10.0.2.2:9080",
  });
  assert.equal(made.posts[0]?.cluster, "collector");
  assert.equal(made.posts[0]?.path, "/v1/traces");
  assert.deepEqual(JSON.parse(made.posts[0]?.body ?? "").resourceSpans[0].resource.attributes, [
    { key: "service.name", value: { stringValue: "waypoint.default" } },
  ]);
});

test("a sampled request becomes a span of Zipkin", async () => {
  const made = bench();
  const headers = trace(made, ZIPKIN, [], { responseCode: 503, responseFlags: ["UF"] });
  assert.equal(headers.get("x-b3-sampled"), "1");
  assert.equal(headers.get("traceparent"), undefined);
  await made.clock.settle(1000);
  const [{ tags, ...span }] = JSON.parse(made.posts[0]?.body ?? "");
  assert.deepEqual(span, {
    traceId: "80000000".repeat(4),
    id: "8000000080000000",
    kind: "SERVER",
    name: "reviews.default.svc.cluster.local:9080/*",
    timestamp: 1735787045678000,
    duration: 12400,
    localEndpoint: { serviceName: "waypoint.default" },
    remoteEndpoint: { ipv4: "10.0.1.1", port: 40000 },
  });
  assert.equal(tags.error, "true");
  assert.equal(tags["http.status_code"], "503");
});

const decisions: readonly {
  readonly name: string;
  readonly samplingPercent: number;
  readonly headers: readonly (readonly [string, string])[];
  readonly sampled: boolean;
}[] = [
  { name: "above the share", samplingPercent: 50, headers: [], sampled: false },
  { name: "within the share", samplingPercent: 51, headers: [], sampled: true },
  { name: "none", samplingPercent: 0, headers: [], sampled: false },
  {
    name: "the parent says yes",
    samplingPercent: 0,
    headers: [["traceparent", `00-${TRACE}-${SPAN}-01`]],
    sampled: true,
  },
  {
    name: "the parent says no",
    samplingPercent: 100,
    headers: [["traceparent", `00-${TRACE}-${SPAN}-00`]],
    sampled: false,
  },
  { name: "B3 says no, without ids", samplingPercent: 100, headers: [["b3", "0"]], sampled: false },
  {
    name: "the parent leaves it to us",
    samplingPercent: 100,
    headers: [["b3", `${TRACE}-${SPAN}`]],
    sampled: true,
  },
];
for (const { name, samplingPercent, headers, sampled } of decisions)
  test(`sampling: ${name}`, async () => {
    const made = bench();
    const forwarded = trace(made, { ...OTLP, samplingPercent }, headers);
    assert.equal(forwarded.get("traceparent")?.slice(-2), sampled ? "01" : "00");
    assert.equal((await otlpSpans(made)).length, sampled ? 1 : 0);
  });

test("without a collector there is no tracer, and headers pass as they came", () => {
  const made = bench();
  const { collector: _, ...settings } = OTLP;
  assert.equal(made.service({ tracing: settings }).tracer, undefined);
  assert.equal(trace(made, settings, [["traceparent", "any"]]).get("traceparent"), "any");
});

test("custom tags are literal, or a header with a fallback", async () => {
  const made = bench();
  const customTags: TracingSettings["customTags"] = [
    { name: "env", from: { kind: "literal", value: "test" } },
    { name: "agent", from: { kind: "header", name: "User-Agent" } },
    { name: "tenant", from: { kind: "header", name: "x-tenant", fallback: 'no "one"' } },
    { name: "missing", from: { kind: "header", name: "x-missing" } },
  ];
  trace(made, { ...OTLP, customTags });
  const [span] = await otlpSpans(made);
  const tags = new Map(span?.attributes.map(({ key, value }) => [key, value.stringValue]));
  assert.deepEqual(
    [tags.get("env"), tags.get("agent"), tags.get("tenant"), tags.has("missing")],
    ["test", "curl/8", 'no "one"', false],
  );
});

test("a hostile head stays within its tag", async () => {
  const made = bench();
  const agent = `"},{"key":"x\\${"y".repeat(9000)}`;
  const headers = [
    ["traceparent", `00-${TRACE}-${SPAN}-01`],
    ["tracestate", '"}]'],
    ["user-agent", agent],
  ] as const;
  const { tracer } = made.service({ tracing: OTLP });
  const context = requestContext({}, ...headers);
  context.request.headers.set("user-agent", agent);
  tracer?.begin(context)?.end(requestRecord({ context }));
  const [span] = await otlpSpans(made);
  const value = span?.attributes.find(({ key }) => key === "user_agent")?.value.stringValue;
  assert.equal(value, agent.slice(0, 256));
});

const count = (made: TelemetryBench, sample: string): string | undefined =>
  made
    .samples()
    .find((line) => line.startsWith(sample))
    ?.split(" ")
    .at(-1);

test("services that name the same collector share its batches", async () => {
  const made = bench();
  trace(made, OTLP);
  trace(made, { ...OTLP, samplingPercent: 99 });
  await made.clock.settle(999);
  assert.equal(made.posts.length, 0);
  assert.equal((await otlpSpans(made)).length, 2);
  assert.equal(made.posts.length, 1);
  assert.equal(count(made, "meltemi_trace_spans_sent_total"), "2");
});

test("a full batch goes at once, one after another", async () => {
  const made = bench();
  for (let at = 0; at < 600; at++) trace(made, OTLP);
  assert.equal(made.posts.length, 1);
  await made.clock.settle();
  assert.equal(made.posts.length, 2);
  assert.equal((await otlpSpans(made)).length, 600);
  assert.equal(made.posts.length, 3);
});

for (const [status, reason] of [
  [503, "refused"],
  [0, "unreachable"],
] as const)
  test(`a batch that is ${reason} is dropped and counted, and the next is tried`, async () => {
    const made = bench();
    made.collectorStatus = status;
    trace(made, OTLP);
    await made.clock.settle(1000);
    assert.equal(count(made, `meltemi_trace_spans_dropped_total{reason="${reason}"}`), "1");
    made.collectorStatus = 200;
    trace(made, OTLP);
    await made.clock.settle(1000);
    assert.equal(count(made, "meltemi_trace_spans_sent_total"), "1");
  });

test("a collector that stands still holds no more than the queue's bound", async () => {
  const made = bench();
  for (let at = 0; at < 256 + 4096 + 10; at++) trace(made, OTLP);
  assert.equal(made.posts.length, 1);
  assert.equal(count(made, 'meltemi_trace_spans_dropped_total{reason="queue_full"}'), "10");
});

test("what waits is sent before the process ends, unless the collector is gone", async () => {
  const made = bench();
  trace(made, OTLP);
  await made.telemetry.close();
  assert.equal(count(made, "meltemi_trace_spans_sent_total"), "1");
  assert.equal(made.clock.pending, 0);
  const gone = bench();
  gone.collectorStatus = 0;
  for (let at = 0; at < 700; at++) trace(gone, OTLP);
  await gone.telemetry.close();
  assert.equal(count(gone, "meltemi_trace_spans_sent_total"), "0");
  assert.ok(gone.posts.length <= 3);
});
