import assert from "node:assert/strict";
import { test } from "node:test";
import { type Clock, delay, systemClock, type Timer } from "./clock.ts";

/** A clock whose one timer fires when told. */
function heldClock(): {
  readonly clock: Clock;
  readonly fire: () => void;
  readonly cancelled: () => boolean;
} {
  let task: (() => void) | undefined;
  let cancelled = false;
  const timer: Timer = {
    cancel: () => {
      cancelled = true;
    },
  };
  return {
    clock: {
      nowMs: () => 0,
      monotonicMs: () => 0,
      after: (_delayMs, run) => {
        task = run;
        return timer;
      },
    },
    fire: () => task?.(),
    cancelled: () => cancelled,
  };
}

test("a delay ends when its timer fires", async () => {
  const held = heldClock();
  const waiting = delay(held.clock, 5);
  held.fire();
  await waiting;
});

test("an aborted delay rejects with the reason and gives its timer back", async () => {
  const held = heldClock();
  const abort = new AbortController();
  const waiting = delay(held.clock, 5, abort.signal);
  abort.abort(new Error("enough"));
  await assert.rejects(waiting, /enough/);
  assert.ok(held.cancelled());
});

test("a delay that is aborted already never starts", async () => {
  await assert.rejects(delay(heldClock().clock, 5, AbortSignal.abort(new Error("late"))), /late/);
});

test("a delay longer than a Node timer takes does not fire at once", () => {
  let fired = false;
  const timer = systemClock.after(2 ** 40, () => {
    fired = true;
  });
  timer.cancel();
  assert.equal(fired, false);
});
