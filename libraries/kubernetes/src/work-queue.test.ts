import assert from "node:assert/strict";
import { test } from "node:test";
import { createLogger, LogFilter } from "@meltemi/runtime";
import { createFakeClock, eventually } from "@meltemi/testkit";
import { createWorkQueue } from "./work-queue.ts";

const log = createLogger(
  { filter: new LogFilter("off"), format: "plain", nowMs: () => 0, write: () => {} },
  "test",
);
const random = (): number => 0.5;

test("a burst for one key is one reconciliation, and a change during work is one more", async () => {
  const clock = createFakeClock();
  const done: string[] = [];
  const gate = Promise.withResolvers<void>();
  let begun = 0;
  const reconcile = async (key: string): Promise<void> => {
    begun++;
    await gate.promise;
    done.push(key);
  };
  const queue = createWorkQueue({ name: "q" }, { clock, random, log, reconcile });
  queue.add("slow");
  queue.add("slow");
  await eventually(() => begun === 1);
  queue.add("slow");
  queue.add("slow");
  queue.add("b");
  gate.resolve();
  await eventually(() => queue.size === 0);
  assert.deepEqual(done, ["slow", "slow", "b"]);
  await queue.stop();
});

test("what fails comes again with growing delays, and success forgets them", async () => {
  const clock = createFakeClock();
  let failing = true;
  const atMs: number[] = [];
  const reconcile = (): Promise<void> => {
    atMs.push(clock.nowMs());
    return failing ? Promise.reject(new Error("no")) : Promise.resolve();
  };
  const backoff = { baseMs: 10, maxMs: 1000 };
  const queue = createWorkQueue({ name: "q", backoff }, { clock, random, log, reconcile });
  queue.add("a");
  for (let tries = 1; tries <= 4; tries++) {
    await eventually(() => atMs.length === tries && clock.pending === 1);
    clock.advance(10 * 2 ** (tries - 1));
  }
  failing = false;
  await eventually(() => atMs.length === 5);
  // The fifth try ran while it still failed or not: either way it ends.
  clock.advance(1000);
  await eventually(() => queue.size === 0);
  assert.deepEqual(
    atMs.slice(1, 5).map((at, index) => at - (atMs[index] ?? 0)),
    [10, 20, 40, 80],
  );
  await queue.stop();
});

test("keys are worked on side by side up to the bound, one key never twice at once", async () => {
  const clock = createFakeClock();
  let working = 0;
  let most = 0;
  const reconcile = async (): Promise<void> => {
    working++;
    most = Math.max(most, working);
    await new Promise((resolve) => setImmediate(resolve));
    working--;
  };
  const queue = createWorkQueue({ name: "q", concurrency: 3 }, { clock, random, log, reconcile });
  for (let index = 0; index < 20; index++) queue.add(`k${index % 10}`);
  await eventually(() => queue.size === 0);
  assert.equal(most, 3);
  await queue.stop();
});

test("stop aborts what runs, and takes nothing more", async () => {
  const clock = createFakeClock();
  let aborted = false;
  const reconcile = (_: string, signal: AbortSignal): Promise<void> =>
    new Promise((_resolve, reject) =>
      signal.addEventListener("abort", () => {
        aborted = true;
        reject(new Error("aborted"));
      }),
    );
  const queue = createWorkQueue({ name: "q" }, { clock, random, log, reconcile });
  queue.add("a");
  queue.addAfter("b", 10);
  await new Promise((resolve) => setImmediate(resolve));
  await queue.stop();
  queue.add("c");
  assert.ok(aborted);
  assert.equal(queue.size, 0);
  assert.equal(clock.pending, 0);
});

test("a key is given up after its last attempt, and taken up when it is added again", async () => {
  const clock = createFakeClock();
  let attempts = 0;
  const reconcile = (): Promise<void> => {
    attempts++;
    return Promise.reject(new Error("refused"));
  };
  const queue = createWorkQueue({ name: "q", maxAttempts: 3 }, { clock, random, log, reconcile });
  for (const want of [3, 6]) {
    queue.add("a");
    await eventually(() => {
      clock.advance(60_000);
      return attempts === want && queue.size === 0;
    });
  }
  clock.advance(3_600_000);
  assert.equal(attempts, 6);
  await queue.stop();
});
