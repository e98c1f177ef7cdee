import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { TokenBuckets } from "./token-buckets.ts";

const digest = (text: string): string => `#${text.length}:${text.slice(-8)}`;

test("a bucket holds its burst and fills with time", () => {
  const buckets = new TokenBuckets({ requests: 10, perMs: 1000, burst: 2 }, digest);
  assert.deepEqual(buckets.take("a", 0), { allowed: true, remaining: 1, waitMs: 100 });
  assert.deepEqual(buckets.take("a", 0), { allowed: true, remaining: 0, waitMs: 100 });
  assert.deepEqual(buckets.take("a", 50), { allowed: false, remaining: 0, waitMs: 50 });
  assert.deepEqual(buckets.take("b", 50), { allowed: true, remaining: 1, waitMs: 100 });
  assert.equal(buckets.take("a", 100).allowed, true);
  assert.equal(buckets.take("a", 100).allowed, false);
  assert.equal(buckets.take("a", 100_000).remaining, 1);
});

test("a limit of nothing lets nothing pass but its burst", () => {
  const buckets = new TokenBuckets({ requests: 0, perMs: 1000, burst: 0 }, digest);
  assert.equal(buckets.take("a", 0).allowed, false);
  assert.equal(buckets.take("a", 1e9).allowed, false);
});

test("never more than the burst and what time gives, whenever requests come", () => {
  const steps = fc.array(fc.integer({ min: 0, max: 500 }), { minLength: 1, maxLength: 200 });
  fc.assert(
    fc.property(
      steps,
      fc.integer({ min: 1, max: 50 }),
      fc.integer({ min: 1, max: 20 }),
      (waits, requests, burst) => {
        const buckets = new TokenBuckets({ requests, perMs: 1000, burst }, digest);
        let nowMs = 0;
        let allowed = 0;
        for (const wait of waits) {
          nowMs += wait;
          if (buckets.take("x", nowMs).allowed) allowed++;
          assert.ok(allowed <= burst + (nowMs * requests) / 1000 + 1e-6);
        }
      },
    ),
  );
});

test("long combinations are counted apart, and what is often used stays when there are too many", () => {
  const buckets = new TokenBuckets({ requests: 1, perMs: 1e9, burst: 1 }, digest);
  const long = "x".repeat(5000);
  assert.equal(buckets.take(`${long}1`, 0).allowed, true);
  assert.equal(buckets.take(`${long}2`, 0).allowed, true);
  assert.equal(buckets.take(`${long}1`, 0).allowed, false);
  for (let at = 0; at < 25_000; at++) {
    buckets.take(`n${at}`, 0);
    if (at % 5000 === 0) assert.equal(buckets.take(`${long}1`, 0).allowed, false);
  }
  assert.equal(buckets.take(`${long}2`, 0).allowed, true, "forgotten: it was not used for long");
});
