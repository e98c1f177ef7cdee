import assert from "node:assert/strict";
import { test } from "node:test";
import { rolloutBounds } from "./rollout-bounds.ts";

const cases = [
  { name: "defaults of 4", strategy: undefined, wanted: 4, want: { surge: 1, unavailable: 1 } },
  {
    name: "defaults of 1: the new one comes first",
    strategy: undefined,
    wanted: 1,
    want: { surge: 1, unavailable: 0 },
  },
  {
    name: "surplus rounds up, missing down",
    strategy: { maxSurge: "30%", maxUnavailable: "30%" },
    wanted: 5,
    want: { surge: 2, unavailable: 1 },
  },
  {
    name: "both zero would never move",
    strategy: { maxSurge: 0, maxUnavailable: 0 },
    wanted: 3,
    want: { surge: 0, unavailable: 1 },
  },
  {
    name: "numbers as text",
    strategy: { maxSurge: "2", maxUnavailable: 1 },
    wanted: 3,
    want: { surge: 2, unavailable: 1 },
  },
  {
    name: "nonsense is none",
    strategy: { maxSurge: "many", maxUnavailable: -1 },
    wanted: 3,
    want: { surge: 0, unavailable: 1 },
  },
];
for (const c of cases) {
  test(`rolloutBounds: ${c.name}`, () => assert.deepEqual(rolloutBounds(c.strategy, c.wanted), c.want));
}
