import assert from "node:assert/strict";
import { test } from "node:test";
import { HeaderFields } from "@meltemi/http";
import type { Forward, HttpRoute } from "@meltemi/model/l7";
import { createFakeClock, type FakeClock } from "@meltemi/testkit";
import { type BenchOptions, CLUSTER, createProxyBench, type ProxyBench } from "./proxy.fixture.ts";

/** How exchanges end that end in unusual ways: early, half, twice, or with something of ours broken. */

function setUp(given: BenchOptions = {}): ProxyBench & { readonly clock: FakeClock } {
  const clock = createFakeClock();
  return { clock, ...createProxyBench(clock, given) };
}

function forward(action: Partial<Forward>): HttpRoute {
  const targets = [{ target: { kind: "cluster", cluster: CLUSTER.name }, weight: 1 }] as const;
  return { name: "to-reviews", matches: [], action: { kind: "forward", targets, mirrors: [], ...action } };
}

function isAtRest({ limits, heldBytes, endpoints, clock }: ReturnType<typeof setUp>): void {
  assert.deepEqual([limits.requests, limits.retries, limits.pending, heldBytes.bytes], [0, 0, 0, 0]);
  assert.ok(endpoints.every(({ active }) => active === 0));
  assert.equal(clock.pending, 0);
}

test("a try that is answered before its request ended is given up when another follows", async () => {
  const bench = setUp();
  const exchange = bench.send({ method: "POST" }, true);
  await bench.settle();
  exchange.receiver?.onData(Buffer.from("begun"), false);
  bench.tries[0]?.answer(503);
  assert.equal(bench.tries[0]?.aborted, "cancelled", "nobody will ever end that request");
});

test("an upgraded stream goes on in one direction after the other has ended", async () => {
  const bench = setUp();
  const exchange = bench.send({ upgrade: "websocket" }, true);
  await bench.settle();
  const receiver = bench.tries[0]?.receiver;
  receiver?.onResponse({ status: 101, headers: new HeaderFields() }, false);
  receiver?.onEnd(undefined);
  assert.equal(exchange.ended, true);
  assert.equal(bench.tries[0]?.aborted, undefined);
  assert.equal(bench.records.length, 0);
  exchange.receiver?.onData(Buffer.from("still here"), false);
  exchange.receiver?.onEnd(undefined);
  assert.equal(bench.tries[0]?.body, "still here");
  assert.equal(bench.tries[0]?.ended, true);
  assert.deepEqual(
    bench.records.map(({ responseCode }) => responseCode),
    [101],
  );
  isAtRest(bench);
});

test("an upgraded stream whose client breaks after the service has ended", async () => {
  const bench = setUp();
  const exchange = bench.send({ upgrade: "websocket" }, true);
  await bench.settle();
  const receiver = bench.tries[0]?.receiver;
  receiver?.onResponse({ status: 101, headers: new HeaderFields() }, false);
  receiver?.onEnd(undefined);
  exchange.receiver?.onFault({ kind: "reset", detail: "gone" });
  assert.equal(bench.tries[0]?.aborted, "cancelled");
  assert.deepEqual(bench.records[0]?.responseFlags, ["DC"]);
  isAtRest(bench);
});

test("the time of a route ends the wait for an upgrade, and not the upgraded stream", async () => {
  const bench = setUp({ routes: [forward({ timeoutMs: 100 })] });
  const unanswered = bench.send({ upgrade: "websocket" }, true);
  const answered = bench.send({ upgrade: "websocket" }, true);
  await bench.settle();
  bench.tries[1]?.receiver.onResponse({ status: 101, headers: new HeaderFields() }, false);
  bench.clock.advance(100);
  assert.equal(unanswered.head?.status, 504);
  answered.receiver?.onEnd(undefined);
  bench.clock.advance(1000);
  assert.equal(answered.aborted, undefined);
  bench.tries[1]?.receiver.onEnd(undefined);
  assert.equal(bench.records.length, 2);
  isAtRest(bench);
});

test("an upgrade is not copied to mirrors: what passes behind it is no request", async () => {
  const bench = setUp({ routes: [forward({ mirrors: [{ cluster: CLUSTER.name, percent: 100 }] })] });
  const exchange = bench.send({ upgrade: "websocket" }, true);
  await bench.settle();
  bench.tries[0]?.receiver.onResponse({ status: 101, headers: new HeaderFields() }, false);
  exchange.receiver?.onEnd(undefined);
  bench.tries[0]?.receiver.onEnd(undefined);
  await bench.settle();
  assert.equal(bench.tries.length, 1);
  isAtRest(bench);
});

test("a body that cannot be kept is not begun between two tries", async () => {
  const bench = setUp({ maxHeldBytes: 0 });
  const exchange = bench.send({ method: "POST", expectsContinue: true }, true);
  await bench.settle();
  bench.clock.advance(990);
  bench.tries[0]?.receiver.onFault({ kind: "refused", detail: "not this one" });
  bench.clock.advance(10);
  assert.equal(exchange.isReading, false, "there is nobody to give the body to");
  bench.clock.advance(25);
  await bench.settle();
  bench.tries[1]?.receiver.onInformational(100, new HeaderFields());
  exchange.receiver?.onData(Buffer.from("all of it"), false);
  exchange.receiver?.onEnd(undefined);
  assert.equal(bench.tries[1]?.body, "all of it");
  bench.tries[1]?.answer(200);
  isAtRest(bench);
});

test("copies of bodies for mirrors count until the mirror is done with them", async () => {
  const bench = setUp({
    maxHeldBytes: 1000 * 1000,
    routes: [forward({ mirrors: [{ cluster: CLUSTER.name, percent: 100 }] })],
  });
  const post = async (): Promise<void> => {
    const exchange = bench.send({ method: "POST" }, true);
    await bench.settle();
    const attempt = bench.tries.at(-1);
    exchange.receiver?.onData(Buffer.alloc(600 * 1000), false);
    exchange.receiver?.onEnd(undefined);
    await bench.settle();
    attempt?.answer(200);
  };
  await post();
  assert.equal(bench.tries.length, 2);
  assert.ok(bench.heldBytes.bytes >= 600 * 1000);
  await post();
  assert.equal(bench.tries.length, 3, "the second has no copy: there is no room for it");
  bench.tries[1]?.answer(200);
  isAtRest(bench);
});

test("something of ours that breaks in a later try ends in 500 and in nothing left behind", async () => {
  let choices = 0;
  const bench = setUp({
    onChoose: () => {
      if (++choices === 2) throw new Error("broken balancer");
    },
  });
  const exchange = bench.send();
  await bench.settle();
  bench.tries[0]?.answer(503);
  bench.clock.advance(25);
  assert.equal(exchange.status, 500);
  assert.equal(bench.errors.length, 1);
  assert.equal(bench.records.length, 1);
  isAtRest(bench);
});

for (const delayMs of [0, 10])
  test(`something of ours that breaks in the first try, after ${delayMs} ms of injected delay`, async () => {
    const bench = setUp({
      routes: [{ ...forward({}), fault: { delay: { durationMs: delayMs, percent: 100 } } }],
      onChoose: () => assert.fail("broken balancer"),
    });
    const exchange = bench.send();
    bench.clock.advance(delayMs);
    assert.equal(exchange.status, 500);
    assert.equal(bench.errors.length, 1);
    assert.equal(bench.records.length, 1);
    isAtRest(bench);
  });

test("CONNECT is refused: no policy could read what passes behind it", async () => {
  const bench = setUp({ filters: [{ name: "never", onRequest: () => assert.fail("was asked") }] });
  const exchange = bench.send(
    {
      method: "CONNECT",
      authority: "inside:443",
      path: "",
      headers: HeaderFields.of(["content-type", "application/grpc"]),
    },
    true,
  );
  assert.deepEqual([exchange.status, exchange.ended], [403, true]);
  assert.equal(bench.records[0]?.responseCodeDetails, "upgrade_failed");
  await bench.settle();
  assert.equal(bench.tries.length, 0);
});

test("an identity in a name that some frameworks take for the same is removed too", async () => {
  const bench = setUp();
  bench.send({ headers: HeaderFields.of(["x_forwarded-client_cert", "URI=spiffe://a/b"], ["x-kept", "1"]) });
  await bench.settle();
  const headers = bench.tries[0]?.head.headers;
  assert.equal(headers?.has("x_forwarded-client_cert"), false);
  assert.equal(headers?.get("x-kept"), "1");
});

for (const moves of [false, true])
  test(`an upgraded stream that is half open for an hour, ${moves ? "still in use" : "silent"}`, async () => {
    const bench = setUp();
    const exchange = bench.send({ upgrade: "websocket" }, true);
    await bench.settle();
    const receiver = bench.tries[0]?.receiver;
    receiver?.onResponse({ status: 101, headers: new HeaderFields() }, false);
    exchange.receiver?.onEnd(undefined);
    if (moves) receiver?.onData(Buffer.from("moves"), false);
    bench.clock.advance(3_600_000);
    assert.equal(exchange.aborted, moves ? undefined : "upstream-failed");
    if (moves) bench.clock.advance(3_600_000);
    assert.deepEqual(bench.records[0]?.responseFlags, ["SI"]);
    isAtRest(bench);
  });

test("a client that waits for 100 and is answered at once is heard from then on", async () => {
  const bench = setUp();
  const exchange = bench.send({ method: "POST", expectsContinue: true }, true);
  await bench.settle();
  const [attempt] = bench.tries;
  exchange.writable = false;
  attempt?.respond(200, false);
  attempt?.receiver.onData(Buffer.from("much"), false);
  assert.equal(attempt?.paused, true);
  exchange.receiver?.onWritable();
  assert.equal(attempt?.paused, false);
  exchange.leave();
  assert.deepEqual(bench.records[0]?.responseFlags, ["DC"]);
  isAtRest(bench);
});

test("a client that leaves while its request waits for a connection gives its place back", async () => {
  const bench = setUp({ endpoints: ["a"], bounds: { maxConnections: 1 } });
  bench.send({ upgrade: "websocket" }, true);
  await bench.settle();
  const waiting = bench.send({ method: "POST" }, true);
  await bench.settle();
  assert.deepEqual([bench.limits.pending, waiting.paused], [1, true]);
  waiting.leave();
  assert.equal(bench.limits.pending, 0);
  assert.deepEqual(bench.records[0]?.responseFlags, ["DC"]);
});
