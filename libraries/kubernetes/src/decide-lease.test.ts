import assert from "node:assert/strict";
import { test } from "node:test";
import type { Lease } from "kubernetes-types/coordination/v1.js";
import { decideLease } from "./decide-lease.ts";

const terms = { identity: "me", leaseDurationMs: 15_000 };
const time = { nowMs: Date.UTC(2026, 0, 1), monotonicMs: 100_000 };
const held = (holderIdentity: string, resourceVersion = "5"): Lease => ({
  metadata: { resourceVersion },
  spec: { holderIdentity, leaseDurationSeconds: 15, leaseTransitions: 2, acquireTime: "t" },
});

const cases = [
  { name: "no lease yet", lease: undefined, seen: undefined, want: "take" },
  { name: "given back", lease: held(""), seen: undefined, want: "take" },
  { name: "ours", lease: held("me"), seen: undefined, want: "take" },
  { name: "another's, first seen now", lease: held("you"), seen: undefined, want: "wait" },
  {
    name: "another's, renewed meanwhile",
    lease: held("you", "6"),
    seen: { resourceVersion: "5", seenMs: 0 },
    want: "wait",
  },
  {
    name: "another's, unchanged for less than its life",
    lease: held("you"),
    seen: { resourceVersion: "5", seenMs: 85_001 },
    want: "wait",
  },
  {
    name: "another's, unchanged for its whole life",
    lease: held("you"),
    seen: { resourceVersion: "5", seenMs: 85_000 },
    want: "take",
  },
] as const;
for (const c of cases) {
  test(`decideLease: ${c.name}`, () => assert.equal(decideLease(c.lease, terms, c.seen, time).kind, c.want));
}

test("renewing keeps the acquire time, taking over counts a transition", () => {
  const ours = decideLease(held("me"), terms, undefined, time);
  assert.ok(ours.kind === "take");
  assert.deepEqual([ours.spec.acquireTime, ours.spec.leaseTransitions], ["t", 2]);
  const theirs = decideLease(held("you"), terms, { resourceVersion: "5", seenMs: 0 }, time);
  assert.ok(theirs.kind === "take");
  assert.deepEqual(
    [theirs.spec.acquireTime, theirs.spec.leaseTransitions],
    ["2026-01-01T00:00:00.000000Z", 3],
  );
});
