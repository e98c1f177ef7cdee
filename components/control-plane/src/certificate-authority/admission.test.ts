import assert from "node:assert/strict";
import { test } from "node:test";
import { createFakeClock } from "@meltemi/testkit";
import { createAdmission } from "./admission.ts";

test("a client may burst, then gets its rate, and never saves up more than the burst", () => {
  const clock = createFakeClock();
  const admission = createAdmission({ requestsPerSecond: 10, burst: 5, maxPending: 1 }, { clock });
  const charge = (times: number, client = "a"): number =>
    Array.from({ length: times }, () => admission.charge(client)).filter(Boolean).length;
  assert.equal(charge(8), 5);
  assert.equal(charge(8, "b"), 5, "another client has a budget of its own");
  clock.advance(100);
  assert.equal(charge(3), 1);
  clock.advance(3_600_000);
  assert.equal(charge(9), 5);
});

test("pending requests have a bound; a place given back twice counts once", () => {
  const admission = createAdmission(
    { requestsPerSecond: 1, burst: 1, maxPending: 2 },
    { clock: createFakeClock() },
  );
  const [first, second, third] = [admission.enter(), admission.enter(), admission.enter()];
  assert.deepEqual([first.kind, second.kind, third.kind], ["admitted", "admitted", "refused"]);
  if (first.kind === "admitted") {
    first.release();
    first.release();
  }
  assert.equal(admission.pending, 1);
  assert.equal(admission.enter().kind, "admitted");
  assert.equal(admission.enter().kind, "refused");
});
