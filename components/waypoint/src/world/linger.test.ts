import assert from "node:assert/strict";
import { test } from "node:test";
import { createFakeClock } from "@meltemi/testkit";
import type { WaypointXdsUpdate } from "@meltemi/xds";
import { REVIEWS, servedOf } from "../waypoint.fixture.ts";
import { lingering } from "./linger.ts";

const come = {
  kind: "servedService",
  upserts: [{ name: REVIEWS, value: servedOf() }],
  removedNames: [],
} as const;
const go = { kind: "servedService", upserts: [], removedNames: [REVIEWS] } as const;

function scene() {
  const clock = createFakeClock();
  const applied: WaypointXdsUpdate[] = [];
  return { clock, applied, tell: lingering(5000, (update) => applied.push(update), { clock }) };
}

test("what comes is applied at once, what goes after its time", () => {
  const { clock, applied, tell } = scene();
  tell(come);
  tell(go);
  assert.deepEqual(applied, [come]);
  clock.advance(4999);
  assert.deepEqual(applied, [come]);
  clock.advance(1);
  assert.deepEqual(applied, [come, go]);
});

test("what comes back by then does not go", () => {
  const { clock, applied, tell } = scene();
  tell(go);
  tell(come);
  clock.advance(60_000);
  assert.deepEqual(applied, [come]);
});

test("told twice that it goes, it goes once", () => {
  const { clock, applied, tell } = scene();
  tell(go);
  clock.advance(1000);
  tell(go);
  clock.advance(60_000);
  assert.deepEqual(applied, [go]);
});

test("a response that has both is applied in two steps", () => {
  const { clock, applied, tell } = scene();
  tell({ ...come, removedNames: ["default/other"] });
  assert.deepEqual(applied, [come]);
  clock.advance(5000);
  assert.deepEqual(applied, [come, { ...go, removedNames: ["default/other"] }]);
});

test("everything else is given on at once", () => {
  const { applied, tell } = scene();
  const update = { kind: "address", upserts: [], removedNames: ["x"] } as const;
  tell(update);
  assert.deepEqual(applied, [update]);
});
