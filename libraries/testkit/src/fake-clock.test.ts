import assert from "node:assert/strict";
import { test } from "node:test";
import { createFakeClock } from "./fake-clock.ts";

test("timers run in order of time, then of setting, and see the time they asked for", () => {
  const clock = createFakeClock(1000);
  const seen: string[] = [];
  const at = (name: string, ms: number): void =>
    void clock.after(ms, () => seen.push(`${name}@${clock.nowMs()}`));
  at("late", 30);
  at("first", 10);
  at("second", 10);
  clock.after(5, () => at("nested", 7));
  clock.after(10, () => seen.push("never")).cancel();
  clock.advance(29);
  assert.deepEqual(seen, ["first@1010", "second@1010", "nested@1012"]);
  assert.equal(clock.nextInMs, 1);
  clock.advance(1);
  assert.deepEqual(seen.slice(3), ["late@1030"]);
  assert.equal(clock.pending, 0);
  assert.equal(clock.monotonicMs(), 30);
});

test("settle lets a promise set a timer that still falls into the step", async () => {
  const clock = createFakeClock();
  let rounds = 0;
  const again = async (): Promise<void> => {
    await Promise.resolve();
    rounds++;
    clock.after(10, () => void again());
  };
  clock.after(10, () => void again());
  await clock.settle(50);
  assert.equal(rounds, 5);
});

test("a timer that sets itself without delay is reported, not followed for ever", () => {
  const clock = createFakeClock();
  const again = (): void => void clock.after(0, again);
  again();
  assert.throws(() => clock.advance(1), /more than 100000 timers/);
});
