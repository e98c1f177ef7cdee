import assert from "node:assert/strict";
import { test } from "node:test";
import { HeaderFields } from "@meltemi/http";
import { createFakeClock } from "@meltemi/testkit";
import { createProxyBench } from "../../proxy/proxy.fixture.ts";
import { createTelemetryBench } from "../telemetry.fixture.ts";

const TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

function bench() {
  const clock = createFakeClock();
  const telemetry = createTelemetryBench(clock);
  const { tracer } = telemetry.service({
    tracing: {
      collector: { protocol: "otlpHttp", cluster: "collector", path: "/v1/traces" },
      samplingPercent: 100,
      customTags: [],
    },
  });
  assert.ok(tracer);
  const proxy = createProxyBench(clock, { tracer });
  const spans = async (): Promise<Record<string, string>[]> => {
    await clock.settle(1000);
    return telemetry.posts.flatMap(({ body }) => JSON.parse(body).resourceSpans[0].scopeSpans[0].spans);
  };
  return { proxy, spans };
}

test("the service is told of our span, and all tries of a request are one span", async () => {
  const { proxy, spans } = bench();
  proxy.refusing.add("a");
  proxy.send({ headers: HeaderFields.of(["traceparent", TRACEPARENT], ["x-request-id", "from-the-client"]) });
  const clockTurns = await spans();
  assert.deepEqual(clockTurns, []);
  const [attempt] = proxy.tries;
  assert.notEqual(attempt?.uid, "a");
  assert.equal(attempt?.head.headers.get("x-request-id"), "from-the-client");
  const [, traceId, spanId] = attempt?.head.headers.get("traceparent")?.split("-") ?? [];
  attempt?.answer(200);
  const [span, ...others] = await spans();
  assert.deepEqual(others, []);
  assert.deepEqual([span?.["traceId"], span?.["spanId"]], [traceId, spanId]);
  assert.equal(span?.["parentSpanId"], TRACEPARENT.slice(36, 52));
});

test("a request that no endpoint answers is a span too", async () => {
  const { proxy, spans } = bench();
  for (const uid of ["a", "b", "c"]) proxy.refusing.add(uid);
  const exchange = proxy.send();
  await spans();
  assert.equal(exchange.status, 503);
  assert.equal((await spans()).length, 1);
});
