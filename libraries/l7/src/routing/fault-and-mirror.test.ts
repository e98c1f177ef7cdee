import assert from "node:assert/strict";
import { test } from "node:test";
import { happens } from "./chance.ts";
import { decideFault } from "./fault.ts";
import { decideMirrors, shadowAuthority } from "./mirror.ts";

const shares = [
  { percent: 0, of: 0 },
  { percent: 0.0001, of: 1 },
  { percent: 0.00001, of: 0 },
  { percent: 12.5, of: 125_000 },
  { percent: 100, of: 1_000_000 },
  { percent: 250, of: 1_000_000 },
  { percent: -1, of: 0 },
] as const;
for (const { percent, of } of shares)
  test(`${percent} percent happens to ${of} in a million`, () => {
    if (of > 0)
      assert.equal(
        happens(percent, () => (of - 1) / 1_000_000),
        true,
      );
    if (of < 1_000_000)
      assert.equal(
        happens(percent, () => of / 1_000_000),
        false,
      );
  });

const abort = { status: { kind: "http", code: 418 }, percent: 50 } as const;
const delay = { durationMs: 5000, percent: 10 } as const;
test("fault abort and delay are drawn each on its own", () => {
  const draws =
    (...values: number[]) =>
    () =>
      values.shift() ?? assert.fail("drew too often");
  assert.deepEqual(decideFault({ abort, delay }, draws(0.05, 0.7)), { delayMs: 5000, abort: undefined });
  assert.deepEqual(decideFault({ abort, delay }, draws(0.5, 0.4)), { delayMs: 0, abort: abort.status });
  assert.deepEqual(decideFault({}, draws()), { delayMs: 0, abort: undefined });
  assert.deepEqual(decideFault(undefined, draws()), { delayMs: 0, abort: undefined });
});

test("fault abort gRPC", () => {
  const status = { kind: "grpc", code: 14 } as const;
  assert.deepEqual(decideFault({ abort: { status, percent: 100 } }, () => 0.99).abort, status);
});

test("mirrors are drawn each on its own", () => {
  const mirrors = [
    { cluster: "a", percent: 100 },
    { cluster: "b", percent: 10 },
    { cluster: "c", percent: 0 },
  ];
  assert.deepEqual(
    decideMirrors(mirrors, () => 0.5).map(({ cluster }) => cluster),
    ["a"],
  );
  assert.deepEqual(
    decideMirrors(mirrors, () => 0.05).map(({ cluster }) => cluster),
    ["a", "b"],
  );
  assert.deepEqual(
    decideMirrors([], () => assert.fail("nothing to draw")),
    [],
  );
});

test("shadows are told by their host", () => {
  assert.equal(shadowAuthority("reviews"), "reviews-shadow");
  assert.equal(shadowAuthority("reviews:9080"), "reviews-shadow:9080");
  assert.equal(shadowAuthority("[fd00::1]"), "[fd00::1]-shadow");
  assert.equal(shadowAuthority("[fd00::1]:80"), "[fd00::1]-shadow:80");
});
