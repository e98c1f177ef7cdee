import assert from "node:assert/strict";
import { test } from "node:test";
import { waitingText } from "./gateway.ts";

const condition = (reason: string, message: string, observedGeneration = 1): object => ({
  type: "Programmed",
  status: "False",
  reason,
  message,
  lastTransitionTime: "2026-01-01T00:00:00Z",
  observedGeneration,
});
const FAILED = "Failed to assign to any requested addresses";
const CASES = [
  { name: "nobody has looked", conditions: [], want: "no controller has looked at it yet" },
  {
    name: "no pod yet",
    conditions: [condition("AddressNotAssigned", `${FAILED}: no instances found for hostname "w.shop.svc"`)],
    want: "none of its pods is ready yet",
  },
  {
    name: "no service yet",
    conditions: [condition("AddressNotAssigned", `${FAILED}: hostname "w.shop.svc" not found`)],
    want: "none of its pods is ready yet",
  },
  {
    name: "an address that cannot be used",
    conditions: [condition("AddressNotUsable", FAILED)],
    want: FAILED,
  },
  {
    name: "said of its earlier form",
    conditions: [condition("Programmed", "fine", 0)],
    want: "its controller has not looked at its present form yet",
  },
];
for (const { name, conditions, want } of CASES)
  test(`a waypoint waits: ${name}`, () => {
    const gateway = { metadata: { name: "w", namespace: "shop", generation: 1 }, status: { conditions } };
    assert.equal(waitingText(gateway as Parameters<typeof waitingText>[0]), want);
  });
