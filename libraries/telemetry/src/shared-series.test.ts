import assert from "node:assert/strict";
import { test } from "node:test";
import { labelText } from "./label-text.ts";
import { createRegistry } from "./registry.ts";

const lines = (registry: ReturnType<typeof createRegistry>): string[] =>
  registry.exposition(undefined).body.split("\n");

function group(maxLabelSets = 10, idleSweeps = 2) {
  const registry = createRegistry();
  const series = registry.sharedSeries({ maxLabelSets, idleSweeps });
  const requests = series.counter({ name: "requests_total", help: "r", stable: true });
  const duration = series.histogram({ name: "duration", help: "d", buckets: [1, 5] });
  return { registry, series, requests, duration };
}

test("series of one family may have different labels, and print only in the families that counted", () => {
  const { registry, requests, duration } = group();
  requests.cell('a="1"')?.inc();
  requests.cell('b="2",c="3"')?.inc(2);
  duration.cell('a="1"')?.observe(3);
  assert.deepEqual(lines(registry), [
    "# HELP requests r",
    "# TYPE requests counter",
    'requests_total{a="1"} 1',
    'requests_total{b="2",c="3"} 2',
    "# HELP duration d (unstable)",
    "# TYPE duration histogram",
    'duration_sum{a="1"} 3',
    'duration_count{a="1"} 1',
    'duration_bucket{a="1",le="1.0"} 0',
    'duration_bucket{a="1",le="5.0"} 1',
    'duration_bucket{a="1",le="+Inf"} 1',
    "# EOF",
    "",
  ]);
});

test("the same labels are the same cell", () => {
  const { requests } = group();
  assert.equal(requests.cell("x"), requests.cell("x"));
});

test("a full group keeps nothing new, counts what it refused, and has room again once something is forgotten", () => {
  const { registry, series, requests, duration } = group(1, 1);
  requests.cell('a="1"')?.inc();
  assert.equal(requests.cell('a="2"'), undefined);
  assert.equal(duration.cell('a="2"'), undefined);
  duration.cell('a="1"')?.observe(1);
  assert.ok(lines(registry).includes('meltemi_metrics_label_sets_refused_total{family="requests"} 1'));
  assert.ok(lines(registry).includes('meltemi_metrics_label_sets_refused_total{family="duration"} 1'));
  assert.equal(series.sweep(), false);
  assert.equal(series.sweep(), true);
  assert.notEqual(requests.cell('a="2"'), undefined);
});

test("a label set lives as long as any of its cells is counted into", () => {
  const { series, requests, duration } = group(10, 2);
  requests.cell("idle")?.inc();
  const busy = duration.cell("busy");
  requests.cell("busy")?.inc();
  for (let sweep = 0; sweep < 5; sweep++) {
    busy?.observe(0);
    series.sweep();
  }
  assert.equal(series.labelSets, 1);
  assert.equal(duration.cell("busy"), busy);
});

test("what stands in a label cannot end it", () => {
  assert.equal(labelText("path", 'a"} 1\nevil\\'), 'path="a\\"} 1\\nevil\\\\"');
});

test("the exposition comes in pieces whose sum is the whole, also while series come and go", () => {
  const { registry, requests } = group(10_000);
  for (let at = 0; at < 3000; at++) requests.cell(`a="${at}"`)?.inc();
  const { pieces, contentType } = registry.expositionPieces("application/openmetrics-text");
  assert.match(contentType, /openmetrics/);
  const all = [...pieces];
  assert.equal(all.join(""), registry.exposition(undefined).body);
  assert.ok(all.length > 1);
  assert.ok(all.every((piece) => piece.length < 100_000 && piece.endsWith("\n")));
  let text = "";
  for (const piece of registry.expositionPieces(undefined).pieces) {
    text += piece;
    requests.cell(`late="${text.length}"`)?.inc();
  }
  assert.ok(text.endsWith("# EOF\n"));
});
