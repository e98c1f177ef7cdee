import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { HeaderFields } from "@meltemi/http";
import type { Clock } from "@meltemi/runtime";
import type { BodyStart, RequestFilter } from "../request-context.ts";
import { CONTINUE } from "../request-context.ts";
import type { FakeExchange } from "./fake-exchange.fixture.ts";
import { createProxyBench, type ProxyBench } from "./proxy.fixture.ts";

const CLOCK: Clock = { nowMs: () => 0, monotonicMs: () => 0, after: () => ({ cancel: () => undefined }) };

/** A filter that reads up to ten bytes, and waits until it may go on. */
function createReader(seen: BodyStart[]): { readonly bench: ProxyBench; release(): void } {
  let release = (): void => undefined;
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  const filter: RequestFilter = {
    name: "reader",
    async onRequest(_context, run) {
      seen.push(await run.readBody(10));
      await released;
      return CONTINUE;
    },
  };
  return { bench: createProxyBench(CLOCK, { filters: [filter], retry: { retries: 0 } }), release };
}

function send(bench: ProxyBench): FakeExchange {
  return bench.send({ method: "POST" }, true);
}

const text = ({ bytes, isWhole }: BodyStart): unknown => [Buffer.from(bytes).toString(), isWhole];

describe("a body that a filter reads", () => {
  test("goes on whole, from its start, with its trailers", async () => {
    const seen: BodyStart[] = [];
    const { bench, release } = createReader(seen);
    const exchange = send(bench);
    exchange.receiver?.onData(Buffer.from("hello"), true);
    exchange.receiver?.onData(Buffer.from(" you"), false);
    exchange.receiver?.onEnd(HeaderFields.of(["x", "1"]));
    release();
    await bench.settle();
    assert.deepEqual(seen.map(text), [["hello you", true]]);
    const [made] = bench.tries;
    assert.equal(made?.body, "hello you");
    assert.equal(made.ended, true);
    made.answer(200, "ok");
    assert.equal(exchange.status, 200);
    assert.equal(bench.records[0]?.requestBytes, 9);
  });

  test("is held back once there is more than was asked for, and flows on afterwards", async () => {
    const seen: BodyStart[] = [];
    const { bench, release } = createReader(seen);
    const exchange = send(bench);
    exchange.receiver?.onData(Buffer.from("0123456789"), false);
    assert.equal(exchange.paused, false);
    exchange.receiver?.onData(Buffer.from("ab"), false);
    assert.equal(exchange.paused, true);
    release();
    await bench.settle();
    assert.deepEqual(seen.map(text), [["0123456789", false]]);
    const [made] = bench.tries;
    assert.equal(made?.body, "0123456789ab");
    assert.equal(exchange.paused, false);
    exchange.receiver?.onData(Buffer.from("cd"), false);
    exchange.receiver?.onEnd(undefined);
    assert.equal(made.body, "0123456789abcd");
    assert.equal(made.ended, true);
  });

  test("of a client that goes away ends the request there", async () => {
    const seen: BodyStart[] = [];
    const { bench, release } = createReader(seen);
    const exchange = send(bench);
    exchange.receiver?.onData(Buffer.from("0"), false);
    exchange.receiver?.onFault({ kind: "reset", detail: "gone" });
    release();
    await bench.settle();
    assert.equal(seen[0]?.isWhole, false);
    assert.equal(bench.tries.length, 0);
    assert.deepEqual(
      bench.records.map(({ responseFlags }) => responseFlags),
      [["DC"]],
    );
  });

  test("that goes away afterwards ends the request too", async () => {
    const { bench, release } = createReader([]);
    const exchange = send(bench);
    exchange.receiver?.onData(Buffer.from("0123456789ab"), false);
    await bench.settle();
    exchange.receiver?.onFault({ kind: "reset", detail: "gone" });
    release();
    await bench.settle();
    assert.equal(bench.tries.length, 0);
    assert.equal(bench.records.length, 1);
  });

  test("is none where there is none, and none in a tunnel", async () => {
    for (const [request, hasBody] of [
      [{}, false],
      [{ upgrade: "websocket" }, true],
    ] as const) {
      const seen: BodyStart[] = [];
      const { bench, release } = createReader(seen);
      bench.send(request, hasBody);
      release();
      await bench.settle();
      assert.deepEqual(seen.map(text), [["", true]]);
    }
  });
});

test("fields that a filter puts on the response are on any answer", async () => {
  const filter: RequestFilter = {
    name: "fields",
    onRequest(context) {
      context.responseFields = [
        ["x-user", "ann"],
        ["set-cookie", "b=2"],
      ];
      return CONTINUE;
    },
  };
  const bench = createProxyBench(CLOCK, { filters: [filter] });
  const answered = bench.send();
  await bench.settle();
  bench.tries[0]?.answer(200, "ok", ["x-user", "root"], ["set-cookie", "a=1"]);
  assert.equal(answered.head?.headers.get("x-user"), "ann");
  assert.deepEqual(answered.head.headers.all("set-cookie"), ["a=1", "b=2"]);
  const refused = createProxyBench(CLOCK, { filters: [filter], endpoints: [] }).send();
  assert.equal(refused.head?.status, 503);
  assert.equal(refused.head.headers.get("x-user"), "ann");
});
