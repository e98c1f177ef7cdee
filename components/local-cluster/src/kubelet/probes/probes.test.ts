import assert from "node:assert/strict";
import { test } from "node:test";
import { createFakeClock } from "@meltemi/testkit";
import type { Container, Probe } from "../container/types.ts";
import { NEW_PROBE, probeTiming, stepProbe } from "./probe-state.ts";
import { probeTarget } from "./probe-target.ts";
import { startProber } from "./prober.ts";

test("probeTiming: the API's defaults", () => {
  assert.deepEqual(probeTiming({}), {
    initialDelayMs: 0,
    periodMs: 10_000,
    timeoutMs: 1000,
    successThreshold: 1,
    failureThreshold: 3,
  });
});

const timing = { ...probeTiming({}), failureThreshold: 2, successThreshold: 2 };
for (const [results, want] of [
  ["", "unknown"],
  ["s", "unknown"],
  ["ss", "success"],
  ["f", "unknown"],
  ["ff", "failure"],
  ["fsf", "unknown"],
  ["ssf", "success"],
  ["ssff", "failure"],
  ["ffs", "failure"],
  ["ffss", "success"],
] as const)
  test(`stepProbe: ${results || "nothing"} is ${want}`, () => {
    let state = NEW_PROBE;
    for (const letter of results) state = stepProbe(state, timing, letter === "s" ? "success" : "failure");
    assert.equal(state.verdict, want);
  });

const container: Container = { name: "c", ports: [{ name: "http", containerPort: 8080 }] };
for (const [name, probe, want] of [
  [
    "http by a port's name",
    { httpGet: { port: "http", path: "ready" } },
    { kind: "http", scheme: "http", host: "10.0.0.2", port: 8080, path: "/ready", headers: [] },
  ],
  [
    "https with host and headers",
    { httpGet: { port: 443, scheme: "HTTPS", host: "h", httpHeaders: [{ name: "A", value: "b" }] } },
    { kind: "http", scheme: "https", host: "h", port: 443, path: "/", headers: [["A", "b"]] },
  ],
  ["tcp", { tcpSocket: { port: 5 } }, { kind: "tcp", host: "10.0.0.2", port: 5 }],
  ["exec", { exec: { command: ["true"] } }, { kind: "exec", command: ["true"] }],
  ["grpc", { grpc: { port: 9, service: "s" } }, { kind: "grpc", host: "10.0.0.2", port: 9, service: "s" }],
] as const)
  test(`probeTarget: ${name}`, () =>
    assert.deepEqual(probeTarget(probe as unknown as Probe, container, "10.0.0.2"), want));

for (const [name, probe] of [
  ["nothing to ask", {}],
  ["an unknown port's name", { tcpSocket: { port: "https" } }],
  ["a port out of range", { tcpSocket: { port: 70_000 } }],
] as const)
  test(`probeTarget refuses ${name}`, () =>
    assert.throws(() => probeTarget(probe as unknown as Probe, container, "10.0.0.2"), {
      code: "INPUT_INVALID",
    }));

test("a prober begins after its delay, keeps its period, tells changes alone, and stops", async () => {
  const clock = createFakeClock();
  const told: string[] = [];
  let answer: "success" | "failure" = "failure";
  const prober = startProber(
    {
      initialDelayMs: 5000,
      periodMs: 1000,
      timeoutMs: 100,
      successThreshold: 1,
      failureThreshold: 2,
      eager: false,
    },
    {
      clock,
      probe: () =>
        Promise.resolve(answer === "success" ? { kind: "success" } : { kind: "failure", message: "no" }),
      onVerdict: (verdict) => told.push(verdict),
      onFailure: (message) => told.push(message),
    },
  );
  await clock.settle(4999);
  assert.deepEqual(told, []);
  await clock.settle(1);
  assert.deepEqual(told, ["no"]);
  await clock.settle(2000);
  assert.deepEqual(told, ["no", "no", "failure", "no"]);
  answer = "success";
  await clock.settle(3000);
  assert.deepEqual(told, ["no", "no", "failure", "no", "success"]);
  prober.stop();
  answer = "failure";
  await clock.settle(5000);
  assert.equal(told.length, 5);
});

test("an eager prober asks ever more slowly until the first success, and complains only after its first period", async () => {
  const clock = createFakeClock();
  const asked: number[] = [];
  const told: string[] = [];
  let good = false;
  const startMs = clock.monotonicMs();
  const prober = startProber(
    { ...probeTiming({ periodSeconds: 1, failureThreshold: 1 }), eager: true },
    {
      clock,
      probe: () => {
        asked.push(clock.monotonicMs() - startMs);
        return Promise.resolve(good ? { kind: "success" } : { kind: "failure", message: "no" });
      },
      onVerdict: (verdict) => told.push(verdict),
      onFailure: (message) => told.push(message),
    },
  );
  await clock.settle(999);
  assert.deepEqual(asked, [0, 25, 75, 175, 375, 775]);
  assert.deepEqual(told, ["failure"]);
  await clock.settle(1000);
  assert.deepEqual(told, ["failure", "no"]);
  good = true;
  await clock.settle(3000);
  assert.deepEqual(told, ["failure", "no", "success"]);
  const [last = 0, before = 0] = asked.toReversed();
  assert.equal(last - before, 1000);
  prober.stop();
});
