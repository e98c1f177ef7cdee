import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { createRegistry, metricsContentType } from "./registry.ts";

const text = (registry: ReturnType<typeof createRegistry>): string[] =>
  registry.exposition(undefined).body.split("\n");

test("a counter prints HELP, TYPE without _total, and samples with it", () => {
  const registry = createRegistry();
  const family = registry.counter({
    name: "istio_tcp_connections_opened",
    help: "The total number of TCP connections opened",
    stable: true,
    labels: ["reporter", "source_workload"],
  });
  family.labels({ reporter: "source", source_workload: "a" }).inc();
  family.labels({ reporter: "source", source_workload: "a" }).inc(2);
  family.labels({ reporter: "destination" }).inc();
  assert.deepEqual(text(registry), [
    "# HELP istio_tcp_connections_opened The total number of TCP connections opened",
    "# TYPE istio_tcp_connections_opened counter",
    'istio_tcp_connections_opened_total{reporter="source",source_workload="a"} 3',
    'istio_tcp_connections_opened_total{reporter="destination"} 1',
    "# EOF",
    "",
  ]);
});

test("another maker's counter keeps its name, and has no type that OpenMetrics would bind to another", () => {
  const registry = createRegistry();
  registry
    .counter({ name: "envoy_http_ext_authz_ok", help: "OK", stable: true, isForeignName: true })
    .labels()
    .inc();
  assert.deepEqual(text(registry), [
    "# HELP envoy_http_ext_authz_ok OK",
    "# TYPE envoy_http_ext_authz_ok unknown",
    "envoy_http_ext_authz_ok 1",
    "# EOF",
    "",
  ]);
});

test("a name given with _total is the same family", () => {
  const registry = createRegistry();
  registry.counter({ name: "x_total", help: "x" }).labels().inc();
  assert.ok(text(registry).includes("x_total 1"));
  assert.ok(text(registry).includes("# TYPE x counter"));
  assert.throws(() => registry.counter({ name: "x", help: "again" }), /defined already/);
});

test("families without samples are omitted; an empty registry is only the end mark", () => {
  const registry = createRegistry();
  registry.gauge({ name: "nothing", help: "never set" });
  assert.deepEqual(text(registry), ["# EOF", ""]);
});

test("HELP of what is not stable says so", () => {
  const registry = createRegistry();
  registry.gauge({ name: "g", help: "a gauge" }).labels().set(1.5);
  assert.deepEqual(text(registry).slice(0, 3), ["# HELP g a gauge (unstable)", "# TYPE g gauge", "g 1.5"]);
});

test("a histogram cumulates its buckets and ends with +Inf", () => {
  const registry = createRegistry();
  const family = registry.histogram({
    name: "h_seconds",
    help: "h",
    labels: ["protocol"],
    buckets: [1, 0.001, 5],
  });
  for (const value of [0.0005, 0.001, 1, 3, 60]) family.labels({ protocol: "udp" }).observe(value);
  assert.deepEqual(text(registry).slice(2, -2), [
    'h_seconds_sum{protocol="udp"} 64.0015',
    'h_seconds_count{protocol="udp"} 5',
    'h_seconds_bucket{protocol="udp",le="0.001"} 2',
    'h_seconds_bucket{protocol="udp",le="1.0"} 3',
    'h_seconds_bucket{protocol="udp",le="5.0"} 4',
    'h_seconds_bucket{protocol="udp",le="+Inf"} 5',
  ]);
});

test("beyond its bound a family keeps nothing new and says how often it refused", () => {
  const registry = createRegistry();
  const family = registry.counter({ name: "c", help: "c", labels: ["peer"], maxLabelSets: 2 });
  for (const peer of ["a", "b", "c", "d", "a"]) family.labels({ peer }).inc();
  const lines = text(registry);
  assert.ok(lines.includes('c_total{peer="a"} 2'));
  assert.ok(lines.includes('c_total{peer="b"} 1'));
  assert.ok(!lines.some((line) => line.includes('peer="c"')));
  assert.ok(lines.includes('meltemi_metrics_label_sets_refused_total{family="c"} 2'));
  family.remove({ peer: "a" });
  family.labels({ peer: "c" }).inc();
  assert.ok(text(registry).includes('c_total{peer="c"} 1'));
});

test("collectors run before each exposition", () => {
  const registry = createRegistry();
  const open = registry.gauge({ name: "process_open_fds", help: "open", stable: true });
  let count = 0;
  registry.onCollect(() => open.labels().set(++count));
  assert.ok(text(registry).includes("process_open_fds 1"));
  assert.ok(text(registry).includes("process_open_fds 2"));
});

test("a name that cannot be printed is refused", () => {
  const registry = createRegistry();
  assert.throws(() => registry.counter({ name: "no-dashes", help: "" }), /expected a name like/);
  assert.throws(
    () => registry.counter({ name: "fine", help: "", labels: ["not a label"] }),
    /not a label name/,
  );
});

for (const [accept, want] of [
  [undefined, "text/plain; charset=utf-8"],
  ["*/*", "text/plain; charset=utf-8"],
  [
    "text/plain;q=0.5, application/openmetrics-text; version=1.0.0",
    "application/openmetrics-text;charset=utf-8;version=1.0.0",
  ],
  ["application/openmetrics-textual", "text/plain; charset=utf-8"],
] as const)
  test(`content type for Accept ${accept}`, () => assert.equal(metricsContentType(accept), want));

test("any label value stays on one line, and two value sets never share a cell", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.string(), fc.string()), { maxLength: 20 }), (pairs) => {
      const registry = createRegistry();
      const family = registry.counter({ name: "c", help: "c", labels: ["a", "b"] });
      for (const [a, b] of pairs) family.labels({ a, b }).inc();
      const distinct = new Set(pairs.map((pair) => JSON.stringify(pair)));
      const samples = text(registry).filter((line) => line.startsWith("c_total"));
      assert.equal(samples.length, distinct.size);
    }),
  );
});
