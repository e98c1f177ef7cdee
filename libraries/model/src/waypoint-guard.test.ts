import assert from "node:assert/strict";
import { test } from "node:test";
import { guardsPort, isWaypointGuard, waypointGuardName } from "./waypoint-guard.ts";

const NAME = waypointGuardName([
  {
    ports: [8080, 9090],
    accounts: [
      { namespace: "shop", serviceAccount: "a.b" },
      { namespace: "shop", serviceAccount: "wp" },
    ],
  },
  { ports: [70], accounts: [] },
]);

test("the name of a guard is its rules", () => {
  assert.equal(NAME, "meltemi_waypoint_required_8080-9090_shop.a.b_shop.wp__70_nobody");
});

for (const [port, want] of [
  [8080, true],
  [9090, true],
  [70, true],
  [80, false],
  [0, false],
] as const)
  test(`port ${port} is ${want ? "" : "not "}guarded`, () =>
    assert.equal(guardsPort({ authorizationPolicies: ["ns/x", `shop/${NAME}`] }, port), want));

for (const key of ["shop/deny-all", "shop/istio_converted_static_strict", "meltemi_waypoint_required_/x", ""])
  test(`${JSON.stringify(key)} is no guard`, () => {
    assert.equal(isWaypointGuard(key), false);
    assert.equal(guardsPort({ authorizationPolicies: [key] }, 0), false);
  });
