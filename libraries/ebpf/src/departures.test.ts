import assert from "node:assert/strict";
import { test } from "node:test";
import { createFakeClock } from "@meltemi/testkit";
import { createDepartures } from "./departures.ts";

function world() {
  const clock = createFakeClock();
  const departures = createDepartures(clock);
  const ended: bigint[] = [];
  return { clock, departures, ended, begin: (pod: bigint) => departures.begin(pod, () => ended.push(pod)) };
}

test("a departure ends after 30 s, once", async () => {
  const { clock, ended, begin } = world();
  begin(1n);
  await clock.settle(29_999);
  assert.deepEqual(ended, []);
  await clock.settle(60_000);
  assert.deepEqual(ended, [1n]);
});

test("a pod that comes back and leaves again has its whole time again", async () => {
  const { clock, departures, ended, begin } = world();
  begin(1n);
  begin(2n);
  await clock.settle(20_000);
  departures.cancel(1n);
  departures.cancel(3n);
  begin(1n);
  await clock.settle(20_000);
  assert.deepEqual(ended, [2n]);
  await clock.settle(10_000);
  assert.deepEqual(ended, [2n, 1n]);
});

test("closing ends no departure", async () => {
  const { clock, departures, ended, begin } = world();
  begin(1n);
  departures.close();
  await clock.settle(60_000);
  assert.deepEqual(ended, []);
});
