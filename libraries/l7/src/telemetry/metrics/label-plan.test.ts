import assert from "node:assert/strict";
import { test } from "node:test";
import type { MetricOverride } from "@meltemi/model/l7";
import { createFakeClock, type FakeClock } from "@meltemi/testkit";
import {
  createTelemetryBench,
  labelsOf,
  requestContext,
  requestRecord,
  type TelemetryBench,
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

const override = (given: Partial<MetricOverride>): MetricOverride => ({
  disabled: false,
  tags: [],
  ...given,
});

test("tags are added, replaced and removed", () => {
  const made = bench();
  const overrides = [
    override({
      tags: [
        { name: "request_host", value: "request.host" },
        { name: "destination_port", value: "string(destination.port)" },
        { name: "custom_dimension", value: "'test'" },
        { name: "response_code", value: "response.code >= 200 && response.code < 300 ? '2xx' : 'other'" },
        { name: "has_mtls", value: "connection.mtls" },
        { name: "peer", value: "filter_state.upstream_peer.workload" },
        { name: "source_principal" },
        { name: "destination_cluster" },
      ],
    }),
  ];
  made.service({ metrics: overrides }).requests.onComplete(requestRecord());
  const labels = onlyLabels(made, "istio_requests_total");
  assert.equal(labels.get("request_host"), "reviews:9080");
  assert.equal(labels.get("destination_port"), "9080");
  assert.equal(labels.get("custom_dimension"), "test");
  assert.equal(labels.get("response_code"), "2xx");
  assert.equal(labels.get("has_mtls"), "true");
  assert.equal(labels.get("peer"), "reviews-v2");
  assert.equal(labels.has("source_principal"), false);
  assert.equal(labels.has("destination_cluster"), false);
});

test("a tag's value is the request's own, also once its series is known", () => {
  const made = bench();
  const { requests } = made.service({
    metrics: [override({ tags: [{ name: "tenant", value: "request.headers['x-tenant']" }] })],
  });
  for (const tenant of ["a", "b", "a"])
    requests.onComplete(requestRecord({ context: requestContext({}, ["x-tenant", tenant]) }));
  requests.onComplete(requestRecord());
  const counts = made
    .samples()
    .filter((line) => line.startsWith("istio_requests_total"))
    .map((line) => [labelsOf(line).get("tenant"), line.split(" ").at(-1)]);
  assert.deepEqual(counts, [
    ["a", "2"],
    ["b", "1"],
    ["unknown", "1"],
  ]);
});

const refusals: readonly {
  readonly name: string;
  readonly tag: MetricOverride["tags"][number];
  readonly why: RegExp;
}[] = [
  {
    name: "what is not CEL",
    tag: { name: "t", value: "request.(" },
    why: /tag "t": compile CEL "request\.\("/,
  },
  {
    name: "a variable that does not exist",
    tag: { name: "t", value: "nobody.knows" },
    why: /Unknown variable/,
  },
  {
    name: "a pattern that comes from the client",
    tag: { name: "t", value: "request.path.matches(request.query)" },
    why: /in quotes/,
  },
  {
    name: "a pattern that is not RE2",
    tag: { name: "t", value: "request.path.matches('(a')" },
    why: /regular expression/,
  },
  { name: "a long expression", tag: { name: "t", value: `'${"x".repeat(5000)}'` }, why: /at most 4096/ },
];
for (const { name, tag, why } of refusals) {
  test(`a tag is unknown, and told of: ${name}`, () => {
    const made = bench();
    const { requests, problems } = made.service({ metrics: [override({ tags: [tag] })] });
    assert.equal(problems.length, 1);
    assert.match(problems[0] ?? "", why);
    requests.onComplete(requestRecord());
    assert.equal(onlyLabels(made, "istio_requests_total").get("t"), "unknown");
  });
}

for (const name of ["le", "__name__", "a-b", "", 'x="1",y']) {
  test(`a tag cannot be called ${JSON.stringify(name)}`, () => {
    const made = bench();
    const { requests, problems } = made.service({ metrics: [override({ tags: [{ name, value: "'v'" }] })] });
    assert.match(problems.join(), /expected a name/);
    requests.onComplete(requestRecord());
    assert.equal(onlyLabels(made, "istio_requests_total").size, 25);
  });
}

test("an override of a metric that does not exist is told of", () => {
  assert.match(
    bench()
      .service({ metrics: [override({ metric: "istio_nothing" })] })
      .problems.join(),
    /istio_nothing/,
  );
});

test("metrics are disabled one by one or all, and a later override wins", () => {
  const names = (metrics: readonly MetricOverride[]): string[] => {
    const made = bench();
    made.service({ metrics }).requests.onComplete(requestRecord());
    return [...new Set(made.samples().map((line) => line.replace(/[{ ].*/, "")))].filter((name) =>
      name.startsWith("istio_"),
    );
  };
  const all = names([]);
  assert.equal(names([override({ disabled: true })]).length, 0);
  assert.deepEqual(
    names([override({ metric: "istio_requests_total", disabled: true })]),
    all.filter((name) => name !== "istio_requests_total"),
  );
  assert.deepEqual(names([override({ disabled: true }), override({ metric: "istio_requests_total" })]), [
    "istio_requests_total",
  ]);
});

test("a hostile value neither ends its label nor grows it", () => {
  const made = bench();
  const { requests } = made.service({
    metrics: [override({ tags: [{ name: "t", value: "request.headers['x']" }] })],
  });
  requests.onComplete(requestRecord({ context: requestContext({}, ["x", `"} 9\n${"y".repeat(10_000)}`]) }));
  const line = made.samples().find((each) => each.startsWith("istio_requests_total")) ?? "";
  assert.match(line, /,t="\\"\} 9\\ny+"\} 1$/);
  assert.ok(line.length < 2000);
});

test("more label sets than there is room for are refused and counted, and known ones go on", () => {
  const made = bench();
  const { requests } = made.service({
    metrics: [override({ tags: [{ name: "t", value: "request.headers['x']" }] })],
  });
  const send = (value: string): void =>
    requests.onComplete(requestRecord({ context: requestContext({}, ["x", value]) }));
  for (let at = 0; at < 4100; at++) send(String(at));
  send("7");
  const samples = made.samples();
  assert.equal(samples.filter((line) => line.startsWith("istio_requests_total")).length, 4000);
  assert.ok(samples.some((line) => line.startsWith("istio_requests_total") && line.includes('t="7"} 2')));
  assert.ok(samples.includes('meltemi_metrics_label_sets_refused_total{family="istio_requests"} 100'));
});
