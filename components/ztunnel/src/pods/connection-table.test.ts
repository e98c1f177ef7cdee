import assert from "node:assert/strict";
import { test } from "node:test";
import { createFakeClock } from "@meltemi/testkit";
import { createConnectionTable } from "./connection-table.ts";

const ENTRY = { src: "a", originalDst: null, actualDst: "b", protocol: "TCP" } as const;

test("a drain of nothing ends at once; rows are listed by direction", async () => {
  const table = createConnectionTable({ clock: createFakeClock() });
  assert.deepEqual(await table.drain(1000), { cut: 0 });
  const remove = table.add("outbound", ENTRY, () => undefined);
  assert.deepEqual(table.dump(), { inbound: [], outbound: [ENTRY] });
  remove();
  assert.equal(table.size, 0);
});

test("a drain waits for the last connection", async () => {
  const clock = createFakeClock();
  const table = createConnectionTable({ clock });
  const removes = [1, 2].map(() => table.add("inbound", ENTRY, () => assert.fail("cut")));
  const drained = table.drain(1000);
  for (const remove of removes) remove();
  assert.deepEqual(await drained, { cut: 0 });
  assert.equal(clock.pending, 0);
});

test("a drain waits for one that was accepted and is not listed yet", async () => {
  const clock = createFakeClock();
  const table = createConnectionTable({ clock });
  const letGo = table.hold();
  const drained = table.drain(1000);
  const remove = table.add("outbound", ENTRY, () => assert.fail("cut"));
  remove();
  assert.equal(clock.pending, 1);
  letGo();
  assert.deepEqual(await drained, { cut: 0 });
  assert.equal(clock.pending, 0);
});

test("a second drain with less time cuts for both", async () => {
  const clock = createFakeClock();
  const table = createConnectionTable({ clock });
  let cut = 0;
  const remove = table.add("inbound", ENTRY, () => {
    cut++;
    remove();
  });
  const patient = table.drain(1_000_000);
  const hasty = table.drain(100);
  clock.advance(100);
  assert.deepEqual(await hasty, { cut: 1 });
  assert.deepEqual(await patient, { cut: 0 });
  assert.deepEqual([cut, clock.pending], [1, 0]);
});
