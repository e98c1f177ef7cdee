import assert from "node:assert/strict";
import { test } from "node:test";
import { createFakeClock } from "@meltemi/testkit";
import { createTurnstile } from "./turnstile.ts";

function scene() {
  const clock = createFakeClock();
  const turnstile = createTurnstile({ places: 2, holdMs: 1000 }, clock);
  const turns: string[] = [];
  const enter = (name: string) => turnstile.enter(() => turns.push(name));
  return { clock, turnstile, turns, enter };
}

test("as many as there are places, then in the order of arrival", () => {
  const { turns, enter } = scene();
  const leaveA = enter("a");
  enter("b");
  enter("c");
  enter("d");
  assert.deepEqual(turns, ["a", "b"]);
  leaveA();
  leaveA();
  assert.deepEqual(turns, ["a", "b", "c"], "leaving twice frees one place");
});

test("who gives up the wait is not called", () => {
  const { turns, turnstile, enter } = scene();
  const leaveA = enter("a");
  enter("b");
  const giveUp = enter("c");
  giveUp();
  assert.equal(turnstile.waiting, 0);
  leaveA();
  assert.deepEqual(turns, ["a", "b"]);
});

test("a place that is not given back is taken back", () => {
  const { clock, turns, enter } = scene();
  const leaveA = enter("a");
  enter("b");
  enter("c");
  clock.advance(1000);
  assert.deepEqual(turns, ["a", "b", "c"]);
  leaveA();
  enter("d");
  assert.deepEqual(turns, ["a", "b", "c", "d"]);
  enter("e");
  assert.equal(turns.length, 4, "leaving after the time is up frees nothing twice");
});
