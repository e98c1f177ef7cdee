import assert from "node:assert/strict";
import { test } from "node:test";
import { HeaderFields } from "@meltemi/http";
import type { Forward, HttpRoute } from "@meltemi/model/l7";
import { createFakeClock, type FakeClock } from "@meltemi/testkit";
import { type BenchOptions, CLUSTER, createProxyBench, type ProxyBench } from "./proxy.fixture.ts";

function setUp(given: BenchOptions = {}): ProxyBench & { readonly clock: FakeClock } {
  const clock = createFakeClock();
  return { clock, ...createProxyBench(clock, given) };
}

function forward(action: Partial<Forward> = {}, route: Partial<HttpRoute> = {}): HttpRoute {
  return {
    name: "to-reviews",
    matches: [],
    action: {
      kind: "forward",
      targets: [{ target: { kind: "cluster", cluster: CLUSTER.name }, weight: 1 }],
      mirrors: [],
      ...action,
    },
    ...route,
  };
}

const failures = [
  {
    name: "the endpoint closes in the middle",
    fault: { kind: "reset", detail: "closed" },
    status: 503,
    flag: "UC",
  },
  {
    name: "the endpoint resets the stream",
    fault: { kind: "reset", http2Code: 2, detail: "reset" },
    status: 503,
    flag: "UR",
  },
  {
    name: "the endpoint breaks the protocol",
    fault: { kind: "protocol", detail: "bad status line" },
    status: 502,
    flag: "UPE",
  },
] as const;
for (const { name, fault, status, flag } of failures) {
  test(`${name}: ${status} ${flag}`, async () => {
    const bench = setUp();
    const exchange = bench.send();
    await bench.settle();
    bench.tries[0]?.receiver.onFault(fault);
    assert.equal(exchange.status, status);
    assert.match(exchange.body, /^upstream connect error or disconnect\/reset before headers/);
    assert.ok(!exchange.body.includes("inside:"), "what went wrong inside is for the log");
    assert.deepEqual(bench.records[0]?.responseFlags, [flag]);
    assert.equal(bench.records[0]?.upstreamFailure, fault.detail);
  });
}

test("a response that breaks off is broken off for the client too", async () => {
  const bench = setUp();
  const exchange = bench.send();
  await bench.settle();
  bench.tries[0]?.receiver.onResponse({ status: 200, headers: new HeaderFields() }, false);
  bench.tries[0]?.receiver.onData(Buffer.from("half"), false);
  bench.tries[0]?.receiver.onFault({ kind: "reset", detail: "closed" });
  assert.equal(exchange.aborted, "upstream-failed");
  assert.equal(exchange.ended, false);
  assert.deepEqual(bench.records[0]?.responseFlags, ["UC"]);
  assert.equal(bench.records[0]?.responseCode, 200);
});

test("a client that goes away ends the try", async () => {
  const bench = setUp();
  const exchange = bench.send();
  await bench.settle();
  exchange.receiver?.onFault({ kind: "reset", detail: "client closed" });
  assert.equal(bench.tries[0]?.aborted, "cancelled");
  assert.deepEqual([bench.records[0]?.responseCode, bench.records[0]?.responseFlags], [0, ["DC"]]);
  assert.equal(bench.limits.requests, 0);
});

test("no endpoint: 503 UH", () => {
  const bench = setUp({ endpoints: [] });
  const exchange = bench.send();
  assert.deepEqual([exchange.status, exchange.body], [503, "no healthy upstream"]);
  assert.deepEqual(bench.records[0]?.responseFlags, ["UH"]);
});

test("more requests than permitted: 503 UO, and the first is not disturbed", async () => {
  const bench = setUp({ bounds: { maxRequests: 1 } });
  const first = bench.send();
  const second = bench.send();
  assert.equal(second.head?.status, 503);
  assert.equal(second.head?.headers.get("x-envoy-overloaded"), "true");
  assert.deepEqual(bench.records[0]?.responseFlags, ["UO"]);
  await bench.settle();
  bench.tries[0]?.answer(200);
  assert.equal(first.head?.status, 200);
});

test("the time of a route is counted from the end of the request: 504 UT", async () => {
  const bench = setUp({ routes: [forward({ timeoutMs: 100 })] });
  const exchange = bench.send({ method: "POST" }, true);
  await bench.settle();
  bench.clock.advance(1000);
  assert.equal(exchange.status, undefined);
  exchange.receiver?.onEnd(undefined);
  bench.clock.advance(100);
  assert.deepEqual([exchange.status, exchange.body], [504, "upstream request timeout"]);
  assert.equal(bench.tries[0]?.aborted, "timeout");
  assert.deepEqual(bench.records[0]?.responseFlags, ["UT"]);
});

test("a slow try is given up and another made", async () => {
  const retry = {
    retries: 1,
    on: ["5xx"],
    statusCodes: [],
    perTryTimeoutMs: 50,
    backoffBaseMs: 10,
    backoffMaxMs: 100,
    avoidPreviousHosts: true,
    otherLocalities: false,
  } as const;
  const bench = setUp({ routes: [forward({ retry })] });
  const exchange = bench.send();
  await bench.settle();
  bench.clock.advance(50);
  assert.equal(bench.tries[0]?.aborted, "timeout");
  bench.clock.advance(10);
  await bench.settle();
  bench.tries[1]?.answer(200);
  assert.equal(exchange.status, 200);
  assert.deepEqual(bench.outcomes[0], { uid: bench.tries[0]?.uid, kind: "localOrigin", cause: "timeout" });
});

test("no route matches: 404 NR", () => {
  const bench = setUp({
    routes: [
      forward({}, { matches: [{ path: { kind: "exact", value: "/only" }, headers: [], queryParams: [] }] }),
    ],
  });
  const exchange = bench.send({ path: "/other" });
  assert.deepEqual([exchange.status, exchange.body, exchange.ended], [404, "", true]);
  assert.deepEqual(bench.records[0]?.responseFlags, ["NR"]);
});

test("a backend that does not exist: 500", () => {
  const bench = setUp({
    routes: [forward({ targets: [{ target: { kind: "invalid", detail: "backend_not_found" }, weight: 1 }] })],
  });
  assert.equal(bench.send().head?.status, 500);
});

for (const [method, status] of [
  ["GET", 200],
  ["POST", 503],
] as const) {
  test(`a kept connection that closes under a ${method}: ${status}`, async () => {
    const bench = setUp();
    const exchange = bench.send({ method });
    await bench.settle();
    bench.tries[0]?.receiver.onFault({ kind: "reset", stale: true, detail: "closed" });
    bench.clock.advance(25);
    await bench.settle();
    bench.tries[1]?.answer(200);
    assert.equal(exchange.status, status);
  });
}
