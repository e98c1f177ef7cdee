import assert from "node:assert/strict";
import { test } from "node:test";
import { createFakeClock } from "@meltemi/testkit";
import { createReviewTurns } from "./review-turns.ts";

test("one at a time, the smallest first, and a pause as long as each took", async () => {
  const clock = createFakeClock();
  const turns = createReviewTurns({ clock });
  const judged: string[] = [];
  const review = (name: string, bytes: number, tookMs: number): Promise<string> =>
    turns.judge(bytes, () => {
      clock.advance(tookMs);
      judged.push(name);
      return name;
    });
  const all = [
    review("first", 9_000, 100),
    review("large", 8_000, 500),
    review("small", 10, 1),
    review("middle", 100, 2),
  ];
  assert.deepEqual(judged, ["first"]);
  clock.advance(99);
  assert.deepEqual(judged, ["first"]);
  clock.advance(1);
  assert.deepEqual(judged, ["first", "small"]);
  clock.advance(1);
  clock.advance(2);
  assert.deepEqual(judged, ["first", "small", "middle", "large"]);
  assert.deepEqual(await Promise.all(all), ["first", "large", "small", "middle"]);
  // The pause after the last holds for whoever comes next.
  const late = review("late", 1, 0);
  assert.equal(judged.length, 4);
  clock.advance(500);
  assert.equal(await late, "late");
});

test("what throws is told to its own caller, and the next has its turn", async () => {
  const clock = createFakeClock();
  const turns = createReviewTurns({ clock });
  const fails = turns.judge(1, () => {
    throw new RangeError("nested too deep");
  });
  const next = turns.judge(1, () => "judged");
  await assert.rejects(fails, RangeError);
  clock.advance(0);
  assert.equal(await next, "judged");
});
