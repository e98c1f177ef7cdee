import assert from "node:assert/strict";
import { test } from "node:test";
import type { BindingReport } from "../compile/binding-report.ts";
import { decideRequirementCondition } from "./decide-requirement.ts";

const waypoint = { namespace: "infra", name: "wp" };
const address = {
  destination: { kind: "hostname", namespace: "infra", hostname: "wp.infra.svc" },
  hbonePort: 15008,
} as const;
const bound: BindingReport = {
  kind: "Service",
  namespace: "ns",
  name: "svc",
  binding: { kind: "bound", waypoint, address },
  canary: undefined,
  ingressUseWaypoint: true,
  needsWaypoint: false,
  demand: { by: "Service" },
};
const none = { names: [], count: 0 };

const cases: readonly {
  readonly name: string;
  readonly report: Partial<BindingReport>;
  readonly unguarded?: { readonly names: readonly string[]; readonly count: number };
  readonly want: readonly [status: string, reason: string, message: RegExp];
}[] = [
  {
    name: "enforced",
    report: {},
    want: ["True", "Enforced", /^connections to its ports are refused unless .* infra\/wp$/],
  },
  {
    name: "not there",
    report: { binding: { kind: "refused", reason: "missing", waypoint } },
    want: ["True", "NoUsableWaypoint", /are refused: waypoint "infra\/wp" does not exist/],
  },
  {
    name: "not ready",
    report: { binding: { kind: "refused", reason: "notReady", waypoint } },
    want: ["True", "NoUsableWaypoint", /are refused: waypoint "infra\/wp" is not ready$/],
  },
  {
    name: "not asked for",
    report: { binding: undefined },
    want: ["True", "NoUsableWaypoint", /are refused: no waypoint is asked for$/],
  },
  {
    name: "pods outside of the mesh",
    report: {},
    unguarded: { names: ["a", "b"], count: 4 },
    want: ["False", "WorkloadsNotInMesh", /^not enforced at a, b and 2 more: /],
  },
  {
    name: "a word that is neither",
    report: { demand: { by: "Namespace", unreadable: "yes" } },
    want: [
      "True",
      "Enforced",
      /^meltemi.io\/waypoint-required of the Namespace is "yes", expected .*; connections/,
    ],
  },
];
for (const { name, report, unguarded = none, want } of cases)
  test(`WaypointRequired: ${name}`, () => {
    const condition = decideRequirementCondition({ report: { ...bound, ...report }, unguarded });
    assert.deepEqual([condition?.status, condition?.reason], want.slice(0, 2));
    assert.match(condition?.message ?? "", want[2]);
  });

test("WaypointRequired: nothing demanded, nothing said", () =>
  assert.equal(decideRequirementCondition(undefined), undefined));
