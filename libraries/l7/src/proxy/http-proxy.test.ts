import assert from "node:assert/strict";
import { test } from "node:test";
import { HeaderFields } from "@meltemi/http";
import type { Forward, HttpRoute } from "@meltemi/model/l7";
import { createFakeClock, type FakeClock } from "@meltemi/testkit";
import { CONTINUE, type FilterVerdict } from "../request-context.ts";
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

test("a request without routes goes to the service, and its answer back", async () => {
  const bench = setUp();
  const exchange = bench.send({ path: "/ratings?x=1" });
  await bench.settle();
  const [attempt] = bench.tries;
  assert.equal(attempt?.head.path, "/ratings?x=1");
  assert.equal(attempt?.ended, true);
  assert.equal(attempt?.head.headers.get("x-request-id"), "the-request-id");
  attempt?.answer(200, "stars", ["content-type", "text/plain"]);
  assert.equal(exchange.status, 200);
  assert.equal(exchange.body, "stars");
  assert.equal(exchange.ended, true);
  assert.deepEqual(
    bench.records.map(({ responseCode, responseFlags, responseBytes, attempts }) => [
      responseCode,
      responseFlags,
      responseBytes,
      attempts,
    ]),
    [[200, [], 5, 1]],
  );
  assert.equal(bench.limits.requests, 0);
});

test("what a client says of its own identity is replaced by what is known", async () => {
  const bench = setUp();
  bench.send({
    headers: HeaderFields.of(["x-forwarded-client-cert", "URI=spiffe://cluster.local/ns/x/sa/admin"]),
  });
  await bench.settle();
  assert.deepEqual(bench.tries[0]?.head.headers.all("x-forwarded-client-cert"), [
    "By=spiffe://cluster.local/ns/default/sa/waypoint;URI=spiffe://cluster.local/ns/default/sa/productpage",
  ]);
});

test("a body is carried in pieces, held back until there is a connection", async () => {
  const bench = setUp();
  const exchange = bench.send({ method: "POST" }, true);
  assert.equal(exchange.paused, true, "nothing is read before there is somewhere to put it");
  await bench.settle();
  exchange.receiver?.onData(Buffer.from("one "), false);
  exchange.receiver?.onData(Buffer.from("two"), false);
  exchange.receiver?.onEnd(undefined);
  assert.equal(bench.tries[0]?.body, "one two");
  assert.equal(bench.tries[0]?.ended, true);
  bench.tries[0]?.answer(201);
  assert.equal(bench.records[0]?.requestBytes, 7);
  assert.equal(exchange.status, 201);
});

test("a retriable answer is tried again elsewhere, with the whole body", async () => {
  const bench = setUp();
  const exchange = bench.send({ method: "POST" }, true);
  await bench.settle();
  exchange.receiver?.onData(Buffer.from("body"), false);
  exchange.receiver?.onEnd(undefined);
  bench.tries[0]?.answer(503);
  assert.equal(exchange.status, undefined);
  bench.clock.advance(25);
  await bench.settle();
  assert.equal(bench.tries.length, 2);
  assert.notEqual(bench.tries[1]?.uid, bench.tries[0]?.uid);
  assert.equal(bench.tries[1]?.body, "body");
  assert.equal(bench.tries[1]?.ended, true);
  assert.equal(bench.tries[1]?.head.headers.get("x-envoy-attempt-count"), "2");
  bench.tries[1]?.answer(200);
  assert.equal(exchange.status, 200);
  assert.equal(bench.records[0]?.attempts, 2);
  assert.equal(bench.limits.retries, 0);
});

test("a body that goes on while the try is repeated is not lost", async () => {
  const bench = setUp();
  const exchange = bench.send({ method: "POST" }, true);
  await bench.settle();
  exchange.receiver?.onData(Buffer.from("first "), false);
  bench.tries[0]?.answer(503);
  assert.equal(exchange.paused, true);
  bench.clock.advance(25);
  await bench.settle();
  assert.equal(exchange.paused, false);
  exchange.receiver?.onData(Buffer.from("second"), false);
  exchange.receiver?.onEnd(undefined);
  assert.equal(bench.tries[1]?.body, "first second");
  assert.equal(bench.tries[1]?.ended, true);
});

test("a body too long to be kept is tried once", async () => {
  const bench = setUp();
  const exchange = bench.send({ method: "POST" }, true);
  await bench.settle();
  exchange.receiver?.onData(Buffer.alloc(1024 * 1024 + 1), false);
  exchange.receiver?.onEnd(undefined);
  bench.tries[0]?.answer(503);
  assert.equal(exchange.status, 503);
  assert.equal(bench.tries.length, 1);
});

test("after all retries the last answer is the client's", async () => {
  const bench = setUp();
  const exchange = bench.send();
  await bench.settle();
  for (const wait of [25, 75]) {
    bench.tries.at(-1)?.answer(503);
    bench.clock.advance(wait);
    await bench.settle();
  }
  assert.equal(bench.tries.length, 3);
  bench.tries.at(-1)?.answer(503, "down");
  assert.equal(exchange.status, 503);
  assert.equal(exchange.body, "down");
});

test("a refused connection is tried elsewhere, and told to outlier detection", async () => {
  const bench = setUp({ endpoints: ["a", "b"] });
  bench.refusing.add("a");
  const exchange = bench.send();
  await bench.settle();
  bench.clock.advance(25);
  await bench.settle();
  bench.tries[0]?.answer(200);
  assert.equal(bench.tries[0]?.uid, "b");
  assert.equal(exchange.status, 200);
  assert.deepEqual(bench.outcomes, [
    { uid: "a", kind: "localOrigin", cause: "connectFailed" },
    { uid: "b", kind: "status", code: 200 },
  ]);
});

test("a gRPC client hears of a failure in its own way", async () => {
  const bench = setUp({ endpoints: [] });
  const exchange = bench.send({
    method: "POST",
    headers: HeaderFields.of(["content-type", "application/grpc"]),
  });
  assert.equal(exchange.status, 200);
  assert.equal(exchange.head?.headers.get("grpc-status"), "14");
  assert.equal(exchange.head?.headers.get("grpc-message"), "no healthy upstream");
  assert.equal(exchange.ended, true);
});

test("gRPC messages and status are counted from what passes", async () => {
  const bench = setUp();
  const exchange = bench.send(
    { method: "POST", headers: HeaderFields.of(["content-type", "application/grpc"]) },
    true,
  );
  await bench.settle();
  const message = Buffer.from([0, 0, 0, 0, 1, 42]);
  exchange.receiver?.onData(message, false);
  exchange.receiver?.onEnd(undefined);
  const receiver = bench.tries[0]?.receiver;
  receiver?.onResponse({ status: 200, headers: new HeaderFields() }, false);
  receiver?.onData(Buffer.concat([message, message]), false);
  receiver?.onEnd(HeaderFields.of(["grpc-status", "5"]));
  assert.deepEqual(bench.records[0]?.grpc, { status: 5, requestMessages: 1, responseMessages: 2 });
  assert.equal(exchange.trailers?.get("grpc-status"), "5");
});

test("filters run in order; the first that replies ends it", async () => {
  const seen: string[] = [];
  const pass = (name: string): FilterVerdict => {
    seen.push(name);
    return CONTINUE;
  };
  const bench = setUp({
    filters: [
      { name: "first", onRequest: () => pass("first") },
      {
        name: "second",
        onRequest: async () => {
          seen.push("second");
          return {
            kind: "reply",
            reply: {
              status: 403,
              body: "RBAC: access denied",
              headers: [],
              flag: "",
              details: "rbac_access_denied",
            },
          };
        },
      },
      { name: "third", onRequest: () => pass("third") },
    ],
  });
  const exchange = bench.send();
  assert.equal(exchange.status, undefined);
  await bench.settle();
  assert.deepEqual(seen, ["first", "second"]);
  assert.deepEqual([exchange.status, exchange.body], [403, "RBAC: access denied"]);
  assert.equal(bench.records[0]?.responseCodeDetails, "rbac_access_denied");
});

for (const how of ["throws", "rejects"] as const) {
  test(`a filter that ${how}: 500, and the error is heard of`, async () => {
    const fail = (): never => {
      throw new Error("broken filter");
    };
    const bench = setUp({
      filters: [
        {
          name: "broken",
          onRequest: () => (how === "throws" ? fail() : Promise.reject(new Error("broken filter"))),
        },
      ],
    });
    const exchange = bench.send();
    await bench.settle();
    assert.equal(exchange.status, 500);
    assert.equal(bench.errors.length, 1);
    assert.equal(bench.records.length, 1);
  });
}

test("a path that can be read in two ways is refused before any filter", () => {
  const bench = setUp({ filters: [{ name: "never", onRequest: () => assert.fail("was asked") }] });
  const exchange = bench.send({ path: "/a%00b" });
  assert.equal(exchange.status, 400);
  assert.equal(bench.records.length, 1);
});

test("a fault delays and aborts", () => {
  const bench = setUp({
    routes: [
      forward(
        {},
        {
          fault: {
            delay: { durationMs: 500, percent: 100 },
            abort: { status: { kind: "http", code: 418 }, percent: 100 },
          },
        },
      ),
    ],
  });
  const exchange = bench.send();
  assert.equal(exchange.status, undefined);
  bench.clock.advance(500);
  assert.deepEqual([exchange.status, exchange.body], [418, "fault filter abort"]);
  assert.deepEqual(bench.records[0]?.responseFlags, ["DI", "FI"]);
});

test("a mirror gets a copy, and its answer changes nothing", async () => {
  const bench = setUp({
    routes: [forward({ mirrors: [{ cluster: CLUSTER.name, percent: 100 }] })],
  });
  const exchange = bench.send({ method: "POST", authority: "reviews:80" }, true);
  await bench.settle();
  exchange.receiver?.onData(Buffer.from("copy me"), false);
  exchange.receiver?.onEnd(undefined);
  await bench.settle();
  const [original, copy] = bench.tries;
  assert.equal(copy?.head.authority, "reviews-shadow:80");
  assert.equal(copy?.body, "copy me");
  copy?.answer(500, "unheard");
  original?.answer(200, "fine");
  assert.deepEqual([exchange.status, exchange.body], [200, "fine"]);
  assert.equal(bench.limits.requests, 0);
});

test("a slow client holds the endpoint back, and a slow endpoint the client", async () => {
  const bench = setUp();
  const exchange = bench.send({ method: "POST" }, true);
  await bench.settle();
  const [attempt] = bench.tries;
  exchange.writable = false;
  attempt?.receiver.onResponse({ status: 200, headers: new HeaderFields() }, false);
  attempt?.receiver.onData(Buffer.from("much"), false);
  assert.equal(attempt?.paused, true);
  exchange.receiver?.onWritable();
  assert.equal(attempt?.paused, false);
});

test("informational answers pass", async () => {
  const bench = setUp();
  const exchange = bench.send();
  await bench.settle();
  bench.tries[0]?.receiver.onInformational(103, new HeaderFields());
  assert.deepEqual(exchange.informed, [103]);
});

test("a body is asked for when the service says 100", async () => {
  const bench = setUp();
  const exchange = bench.send({ expectsContinue: true }, true);
  await bench.settle();
  assert.equal(exchange.isReading, false);
  bench.tries[0]?.receiver.onInformational(100, new HeaderFields());
  assert.equal(exchange.isReading, true);
  assert.deepEqual(exchange.informed, [], "the codec says 100 itself when it is read from");
});

test("a body is asked for when the service says nothing", async () => {
  const bench = setUp();
  const exchange = bench.send({ expectsContinue: true }, true);
  await bench.settle();
  bench.clock.advance(1000);
  assert.equal(exchange.isReading, true);
});

test("a service that refuses before the body gets none", async () => {
  const bench = setUp();
  const exchange = bench.send({ expectsContinue: true }, true);
  await bench.settle();
  bench.tries[0]?.answer(417);
  assert.equal(exchange.status, 417);
  bench.clock.advance(2000);
  assert.equal(exchange.isReading, false);
  assert.equal(bench.tries[0]?.aborted, "cancelled");
});
