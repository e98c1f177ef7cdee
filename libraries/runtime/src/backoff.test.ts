import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { backoffMs } from "./backoff.ts";

const options = { baseMs: 10, maxMs: 15_000 };
const half = (): number => 0.5;

const cases = [
  { attempt: 0, want: 10 },
  { attempt: 1, want: 20 },
  { attempt: 10, want: 10_240 },
  { attempt: 11, want: 15_000 },
  { attempt: 10_000, want: 15_000 },
  { attempt: -1, want: 10 },
] as const;
for (const row of cases) {
  test(`attempt ${row.attempt} waits ${row.want} ms`, () =>
    assert.equal(backoffMs(options, row.attempt, half), row.want));
}

test("jitter stays within its spread and under the cap", () => {
  fc.assert(
    fc.property(fc.nat(60), fc.double({ min: 0, max: 0.999, noNaN: true }), (attempt, random) => {
      const delay = backoffMs({ ...options, jitter: 0.2 }, attempt, () => random);
      const plain = backoffMs(options, attempt, half);
      assert.ok(delay >= plain * 0.8 - 1e-9 && delay <= Math.min(options.maxMs, plain * 1.2 + 1e-9));
    }),
  );
});
