import assert from "node:assert/strict";
import { test } from "node:test";
import type { OutlierDetection } from "@meltemi/model/l7";
import fc from "fast-check";
import { OutlierDetector, type TryResult } from "./outlier-detector.ts";

const policy: OutlierDetection = {
  consecutive5xx: 3,
  consecutiveGatewayErrors: 0,
  splitLocalOriginErrors: false,
  consecutiveLocalOriginFailures: 5,
  intervalMs: 10_000,
  baseEjectionTimeMs: 30_000,
  maxEjectionPercent: 100,
  minHealthPercent: 0,
  errorCodes: [],
};

function detector(given: Partial<OutlierDetection> = {}, uids = ["a", "b", "c", "d"]): OutlierDetector {
  const created = new OutlierDetector({ ...policy, ...given });
  created.setEndpoints(uids);
  return created;
}

/** A number is an answer, a word a failure of the way. */
type Told = number | "connectFailed" | "reset" | "timeout";
function tell(to: OutlierDetector, uid: string, told: readonly Told[], nowMs = 0): string | undefined {
  let reason: string | undefined;
  for (const one of told) {
    const result: TryResult =
      typeof one === "number" ? { kind: "status", code: one } : { kind: "localOrigin", cause: one };
    reason = to.onResult(uid, result, nowMs)?.reason ?? reason;
  }
  return reason;
}

const cases: readonly {
  name: string;
  given?: Partial<OutlierDetection>;
  told: readonly Told[];
  want: string | undefined;
}[] = [
  { name: "answers of 5xx in a row", told: [500, 503, 599], want: "consecutive_5xx" },
  { name: "a good answer between begins anew", told: [500, 500, 200, 500, 500], want: undefined },
  { name: "4xx is no failure", told: [404, 429, 499, 400], want: undefined },
  { name: "off", given: { consecutive5xx: 0 }, told: [500, 500, 500, 500, 500, 500], want: undefined },
  {
    name: "gateway errors",
    given: { consecutive5xx: 0, consecutiveGatewayErrors: 2 },
    told: [502, 504],
    want: "consecutive_gateway_failure",
  },
  {
    name: "500 is no gateway error",
    given: { consecutive5xx: 0, consecutiveGatewayErrors: 2 },
    told: [502, 500, 503],
    want: undefined,
  },
  {
    name: "failures of the way count as answers",
    told: ["connectFailed", 500, "reset"],
    want: "consecutive_5xx",
  },
  {
    name: "failures of the way are gateway errors",
    given: { consecutive5xx: 0, consecutiveGatewayErrors: 3 },
    told: ["timeout", "reset", "connectFailed"],
    want: "consecutive_gateway_failure",
  },
  {
    name: "split: failures of the way are counted for themselves",
    given: { splitLocalOriginErrors: true, consecutiveLocalOriginFailures: 2 },
    told: [500, 500, "timeout", "timeout"],
    want: "consecutive_local_origin_failure",
  },
  {
    name: "split: an answer of any status ends that row",
    given: { splitLocalOriginErrors: true, consecutiveLocalOriginFailures: 2, consecutive5xx: 0 },
    told: ["reset", 500, "reset"],
    want: undefined,
  },
  {
    name: "split: they are no 5xx",
    given: { splitLocalOriginErrors: true },
    told: ["reset", "reset", "reset", "reset"],
    want: undefined,
  },
  {
    name: "error codes instead of 5xx",
    given: { errorCodes: [429] },
    told: [429, 429, 429],
    want: "consecutive_5xx",
  },
  {
    name: "error codes: others are good answers",
    given: { errorCodes: [429] },
    told: [429, 429, 500, 429],
    want: undefined,
  },
  { name: "nobody may be ejected", given: { maxEjectionPercent: 0 }, told: [500, 500, 500], want: undefined },
];
for (const { name, given, told, want } of cases)
  test(`outlier detection: ${name}`, () => assert.equal(tell(detector(given), "a", told), want));

test("outlier detection: one may go whatever the percentage, the next only within it", () => {
  const ten = detector({ maxEjectionPercent: 10 });
  assert.equal(tell(ten, "a", [500, 500, 500]), "consecutive_5xx");
  assert.equal(tell(ten, "b", [500, 500, 500, 500, 500, 500]), undefined);
  assert.deepEqual([...ten.ejected], ["a"]);
  const half = detector({ maxEjectionPercent: 50 });
  for (const uid of ["a", "b", "c"]) tell(half, uid, [500, 500, 500]);
  assert.deepEqual([...half.ejected], ["a", "b"]);
});

test("outlier detection: all may go", () => {
  const all = detector({}, ["a", "b"]);
  for (const uid of ["a", "b"]) tell(all, uid, [500, 500, 500]);
  assert.equal(all.ejected.size, 2);
});

test("outlier detection: out for a multiple of the base time, which falls again with quiet", () => {
  const one = detector();
  const outAt = (nowMs: number): number => {
    for (let count = 0; count < 3; count++) {
      const ejection = one.onResult("a", { kind: "status", code: 500 }, nowMs);
      if (ejection !== undefined) return ejection.untilMs - nowMs;
    }
    return 0;
  };
  assert.equal(outAt(0), 30_000);
  assert.deepEqual(one.onSweep(29_999), []);
  assert.deepEqual(one.onSweep(30_000), ["a"]);
  assert.equal(one.ejected.size, 0);
  assert.equal(outAt(31_000), 60_000);
  assert.deepEqual(one.onSweep(91_000), ["a"]);
  assert.deepEqual(one.onSweep(95_000), []);
  one.onSweep(101_000);
  assert.equal(outAt(102_000), 60_000);
});

test("outlier detection: never out beyond five minutes, unless one time is longer", () => {
  const one = detector({ baseEjectionTimeMs: 200_000, consecutive5xx: 1 });
  const out = (nowMs: number) => one.onResult("a", { kind: "status", code: 500 }, nowMs)?.untilMs;
  assert.equal(out(0), 200_000);
  one.onSweep(200_000);
  assert.equal(out(200_000), 500_000);
  one.onSweep(500_000);
  assert.equal(out(500_000), 800_000);
  assert.equal(
    detector({ baseEjectionTimeMs: 900_000, consecutive5xx: 1 }).onResult(
      "a",
      { kind: "status", code: 500 },
      0,
    )?.untilMs,
    900_000,
  );
});

test("outlier detection: who is out, unknown or gone is not counted; who returns begins anew", () => {
  const one = detector();
  tell(one, "a", [500, 500, 500]);
  assert.equal(tell(one, "a", [500, 500, 500]), undefined);
  assert.equal(tell(one, "x", [500, 500, 500]), undefined);
  one.onSweep(30_000);
  assert.equal(tell(one, "a", [500, 500], 30_000), undefined);
  assert.equal(tell(one, "a", [500], 30_000), "consecutive_5xx");
  one.setEndpoints(["b", "e"]);
  assert.equal(one.ejected.size, 0);
  assert.equal(tell(one, "a", [500, 500, 500]), undefined);
  assert.equal(tell(one, "e", [500, 500, 500]), "consecutive_5xx");
});

test("outlier detection: what was read of ejections does not change", () => {
  const one = detector();
  const before = one.ejected;
  tell(one, "a", [500, 500, 500]);
  assert.equal(before.size, 0);
  assert.notEqual(one.ejected, before);
  const same = one.ejected;
  one.onSweep(1);
  assert.equal(one.ejected, same);
});

test("property: beyond the first, never more are out than the percentage allows", () => {
  const step = fc.record({
    uid: fc.constantFrom("a", "b", "c", "d", "e", "f", "g"),
    code: fc.constantFrom(200, 500, 503),
    wait: fc.nat(20_000),
  });
  fc.assert(
    fc.property(
      fc.array(step, { maxLength: 100 }),
      fc.integer({ min: 1, max: 100 }),
      (steps, maxEjectionPercent) => {
        const one = detector({ maxEjectionPercent, consecutive5xx: 2 }, ["a", "b", "c", "d", "e", "f", "g"]);
        let nowMs = 0;
        for (const { uid, code, wait } of steps) {
          nowMs += wait;
          one.onResult(uid, { kind: "status", code }, nowMs);
          if (wait > 15_000) one.onSweep(nowMs);
          assert.ok(one.ejected.size <= 1 || (100 * one.ejected.size) / 7 <= maxEjectionPercent);
        }
        for (let sweep = 1; sweep <= 40; sweep++) one.onSweep(nowMs + sweep * 10_000);
        assert.equal(one.ejected.size, 0);
      },
    ),
    { numRuns: 300 },
  );
});
