import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { discovery } from "@meltemi/wire";
import { ADDRESS_TYPE_URL } from "../types.ts";
import { readResponse } from "./apply.ts";
import { type ConnectionState, INITIAL_CONNECTION, type StreamEnd, stepConnection } from "./connection.ts";
import { createLedger, MAX_ON_DEMAND_NAMES } from "./ledger.ts";
import { createWaiters } from "./waiters.ts";

const streaming = (failures: number): ConnectionState => ({ kind: "streaming", failures });
const ended = (end: StreamEnd, random = 0.5, lastedMs = 0) =>
  ({ kind: "ended", end, lastedMs, random }) as const;
const failed = (code: number, message = ""): StreamEnd => ({ kind: "failed", code, message });
const refused: StreamEnd = { kind: "connectionFailed", message: "refused" };

const ends = [
  {
    name: "first connection error waits 10 ms",
    failures: 0,
    end: refused,
    delayMs: 10,
    reason: "ConnectionError",
  },
  {
    name: "connection errors double the wait",
    failures: 3,
    end: refused,
    delayMs: 80,
    reason: "ConnectionError",
  },
  { name: "the wait ends at 15 s", failures: 60, end: refused, delayMs: 15_000, reason: "ConnectionError" },
  { name: "UNAUTHENTICATED is hard", failures: 2, end: failed(16), delayMs: 40, reason: "Error" },
  { name: "UNAVAILABLE is hard", failures: 2, end: failed(14, "no"), delayMs: 40, reason: "Error" },
  {
    name: "a server that goes away is not",
    failures: 9,
    end: failed(14, "transport is closing"),
    delayMs: 10,
    reason: "Reconnect",
  },
  {
    name: "nor is GOAWAY",
    failures: 9,
    end: failed(14, "received prior goaway: x"),
    delayMs: 10,
    reason: "Reconnect",
  },
  { name: "nor UNKNOWN", failures: 9, end: failed(2), delayMs: 10, reason: "Reconnect" },
  { name: "nor CANCELLED", failures: 9, end: failed(1), delayMs: 10, reason: "Reconnect" },
  { name: "nor DEADLINE_EXCEEDED", failures: 9, end: failed(4), delayMs: 10, reason: "Reconnect" },
  {
    name: "a good end starts anew",
    failures: 9,
    end: { kind: "completed" } as StreamEnd,
    delayMs: 10,
    reason: "Complete",
  },
];

for (const { name, failures, end, delayMs, reason } of ends) {
  test(`connection: ${name}`, () => {
    const { state, effects } = stepConnection(streaming(failures), ended(end));
    assert.equal(state.kind, "waiting");
    assert.deepEqual(effects, [
      { kind: "count", reason },
      { kind: "retryAfter", delayMs },
    ]);
  });
}

test("connection: the spread stays within a fifth and below the cap", () => {
  const [, low] = stepConnection(streaming(3), ended(refused, 0)).effects;
  assert.deepEqual(low, { kind: "retryAfter", delayMs: 64 });
  const [, top] = stepConnection(streaming(60), ended(refused, 0.999)).effects;
  assert.deepEqual(top, { kind: "retryAfter", delayMs: 15_000 });
});

test("connection: a stream that lasted makes older failures forgotten", () => {
  const { state, effects } = stepConnection(streaming(9), ended(failed(13), 0.5, 15_000));
  assert.deepEqual(effects[1], { kind: "retryAfter", delayMs: 10 });
  assert.deepEqual(state, { kind: "waiting", failures: 1 });
});

const ignored = [
  { name: "start twice", state: streaming(0), event: { kind: "start" } },
  { name: "retry while streaming", state: streaming(0), event: { kind: "retryDue" } },
  { name: "an end while waiting", state: { kind: "waiting", failures: 1 }, event: ended(refused) },
  { name: "anything after stop", state: { kind: "stopped" }, event: { kind: "start" } },
] as const;

for (const { name, state, event } of ignored) {
  test(`connection ignores ${name}`, () => {
    assert.deepEqual(stepConnection(state, event), { state, effects: [] });
  });
}

test("connection: start, fail, retry, stop", () => {
  let { state } = stepConnection(INITIAL_CONNECTION, { kind: "start" });
  ({ state } = stepConnection(state, ended(refused)));
  const again = stepConnection(state, { kind: "retryDue" });
  assert.deepEqual(again.effects, [{ kind: "openStream" }]);
  assert.deepEqual(again.state, streaming(1));
  assert.deepEqual(stepConnection(again.state, { kind: "stop" }).effects, [{ kind: "closeStream" }]);
});

const receipt = (nonce: string) => ({ nonce, accepted: [], rejected: [], removedNames: [] });
const accepted = (name: string, version: string, ...aliases: string[]) => ({ name, version, aliases });

test("ledger: a stream begins with the versions that are held, without removed ones", () => {
  const ledger = createLedger(ADDRESS_TYPE_URL, false);
  assert.deepEqual(ledger.open(), { typeUrl: ADDRESS_TYPE_URL, initialResourceVersions: {} });
  ledger.settle({ ...receipt("1"), accepted: [accepted("a", "1"), accepted("b", "1"), accepted("c", "1")] });
  ledger.settle({
    ...receipt("2"),
    accepted: [accepted("a", "2")],
    rejected: [
      { name: "b", reason: "bad" },
      { name: "never held", reason: "bad" },
    ],
    removedNames: ["c"],
  });
  // The old form of "b" is in use: the next stream must hear of it, also when it was removed meanwhile.
  assert.deepEqual(ledger.open().initialResourceVersions, { a: "2", b: "" });
});

test("ledger: the answer is an ACK, or a NACK that names each refused resource", () => {
  const ledger = createLedger(ADDRESS_TYPE_URL, false);
  assert.deepEqual(ledger.settle(receipt("7")), { typeUrl: ADDRESS_TYPE_URL, responseNonce: "7" });
  const rejected = [
    { name: "a", reason: "x" },
    { name: "b", reason: "y" },
  ];
  const answer = ledger.settle({ ...receipt("8"), rejected });
  assert.equal(answer.errorDetail?.message, "a: x; b: y");
});

test("ledger: a NACK of thousands stays small", () => {
  const rejected = Array.from({ length: 5000 }, (_, index) => ({
    name: `n${index}`,
    reason: "r".repeat(9999),
  }));
  const answer = createLedger(ADDRESS_TYPE_URL, false).settle({ ...receipt("1"), rejected });
  assert.ok((answer.errorDetail?.message.length ?? 0) < 6000);
  assert.match(answer.errorDetail?.message ?? "", /and 4980 more$/);
});

test("ledger: on demand a stream leaves the wildcard and asks again for every name", () => {
  const ledger = createLedger(ADDRESS_TYPE_URL, true);
  assert.deepEqual(ledger.subscribe("net/10.0.0.1"), {
    typeUrl: ADDRESS_TYPE_URL,
    resourceNamesSubscribe: ["net/10.0.0.1"],
  });
  assert.equal(ledger.subscribe("net/10.0.0.1"), undefined);
  ledger.settle({ ...receipt("1"), accepted: [accepted("uid", "v", "net/10.0.0.1")] });
  assert.equal(ledger.knows("net/10.0.0.1"), true);
  assert.deepEqual(ledger.open(), {
    typeUrl: ADDRESS_TYPE_URL,
    resourceNamesSubscribe: ["*", "net/10.0.0.1"],
    resourceNamesUnsubscribe: ["*"],
    initialResourceVersions: { uid: "v" },
  });
  ledger.subscribe("net/10.0.0.2");
  const { initialResourceVersions } = ledger.open();
  assert.deepEqual(initialResourceVersions, { uid: "v", "net/10.0.0.2": "" }, "what waits has no version");
});

test("ledger: what is held for another name was not asked for: its endpoints may be missing", () => {
  const ledger = createLedger(ADDRESS_TYPE_URL, true);
  ledger.subscribe("net/10.96.0.1");
  ledger.settle({ ...receipt("1"), accepted: [accepted("ns/web", "v", "net/10.96.0.1")] });
  assert.deepEqual([ledger.knows("net/10.96.0.1"), ledger.knows("ns/web")], [true, false]);
  assert.deepEqual(ledger.subscribe("ns/web")?.resourceNamesSubscribe, ["ns/web"]);
});

test("ledger: asked anew, a name is left and asked for; one that waits is not", () => {
  const ledger = createLedger(ADDRESS_TYPE_URL, true);
  assert.deepEqual(ledger.renew("a"), []);
  ledger.subscribe("a");
  assert.deepEqual(ledger.renew("a"), []);
  ledger.settle({ ...receipt("1"), removedNames: ["a"] });
  assert.deepEqual(ledger.renew("a"), [
    { typeUrl: ADDRESS_TYPE_URL, resourceNamesUnsubscribe: ["a"] },
    { typeUrl: ADDRESS_TYPE_URL, resourceNamesSubscribe: ["a"] },
  ]);
  assert.equal(ledger.knows("a"), false);
});

test("ledger: what is forgotten is named to no further stream", () => {
  const ledger = createLedger(ADDRESS_TYPE_URL, true);
  for (const name of ["net/10.0.0.1", "net/10.0.0.2"]) ledger.subscribe(name);
  const both = [accepted("uid-1", "v", "net/10.0.0.1"), accepted("uid-2", "v", "net/10.0.0.2")];
  ledger.settle({ ...receipt("1"), accepted: both });
  ledger.forget(["net/10.0.0.1"], ["uid-1"]);
  assert.deepEqual(ledger.open().resourceNamesSubscribe, ["*", "net/10.0.0.2"]);
  assert.deepEqual(ledger.open().initialResourceVersions, { "uid-2": "v" });
  assert.deepEqual([ledger.heldCount, ledger.knows("net/10.0.0.1")], [1, false]);
});

test("ledger: a name that stands for nothing is known to be nothing", () => {
  const ledger = createLedger(ADDRESS_TYPE_URL, true);
  ledger.subscribe("a");
  assert.equal(ledger.knows("a"), false);
  ledger.settle({ ...receipt("1"), removedNames: ["a"] });
  assert.equal(ledger.knows("a"), true);
});

test("ledger: names are bounded", () => {
  const ledger = createLedger(ADDRESS_TYPE_URL, true);
  for (let index = 0; index < MAX_ON_DEMAND_NAMES; index++) ledger.subscribe(String(index));
  assert.throws(() => ledger.subscribe("one more"), { code: "LIMIT_EXCEEDED" });
});

test("responses: resources of another type, or without content, are refused one by one", () => {
  const response = create(discovery.DeltaDiscoveryResponseSchema, {
    typeUrl: ADDRESS_TYPE_URL,
    resources: [
      { name: "none" },
      { name: "other", resource: { typeUrl: "type.googleapis.com/x" } },
      { name: "bad", resource: { typeUrl: ADDRESS_TYPE_URL, value: Uint8Array.of(255) } },
    ],
    removedResources: ["gone"],
  });
  const { update, rejected } = readResponse(response);
  assert.deepEqual(
    rejected.map(({ name }) => name),
    ["none", "other", "bad"],
  );
  assert.deepEqual(update, { kind: "address", upserts: [], removedNames: ["gone"] });
  const unknown = create(discovery.DeltaDiscoveryResponseSchema, {
    typeUrl: "x",
    resources: [{ name: "a" }],
  });
  assert.equal(readResponse(unknown).update, undefined);
});

test("waiters: each hears of its own name, of its signal, and of the end", async () => {
  const waiters = createWaiters();
  const woken = waiters.wait("a");
  const controller = new AbortController();
  const aborted = waiters.wait("b", controller.signal);
  const abandoned = waiters.wait("c");
  waiters.wake((name) => name === "a");
  await woken;
  controller.abort(new Error("enough"));
  await assert.rejects(aborted, /enough/);
  const { MeshError } = await import("@meltemi/runtime");
  waiters.abandon(new MeshError("ABORTED", "stopped"));
  await assert.rejects(abandoned, { code: "ABORTED" });
});
