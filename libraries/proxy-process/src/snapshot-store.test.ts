import assert from "node:assert/strict";
import { test } from "node:test";
import { createFakeClock } from "@meltemi/testkit";
import { createSnapshotStore } from "./snapshot-store.ts";

const even = (number: number): number | undefined => (number % 2 === 0 ? number : undefined);

test("listeners hear of every replacement until they stop", () => {
  const store = createSnapshotStore(1, { clock: createFakeClock() });
  const heard: (readonly [number, number])[] = [];
  const stop = store.onChange((next, previous) => heard.push([next, previous]));
  store.replace(2);
  stop();
  store.replace(3);
  assert.deepEqual(heard, [[2, 1]]);
  assert.equal(store.current, 3);
});

test("a wait ends at once, with the first snapshot that will do, with its time, or with its signal", async () => {
  const clock = createFakeClock();
  const store = createSnapshotStore(2, { clock });
  assert.equal(await store.waitFor(even, 1000), 2);
  store.replace(3);
  const found = store.waitFor(even, 1000);
  store.replace(5);
  store.replace(6);
  store.replace(8);
  assert.equal(await found, 6);
  store.replace(7);
  const late = store.waitFor(even, 1000);
  clock.advance(1000);
  assert.equal(await late, undefined);
  const stop = new AbortController();
  const given = store.waitFor(even, 1000, stop.signal);
  stop.abort();
  assert.equal(await given, undefined);
  assert.equal(await store.waitFor(even, 1000, stop.signal), undefined);
});
