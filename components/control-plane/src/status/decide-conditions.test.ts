import assert from "node:assert/strict";
import { test } from "node:test";
import type { ZtunnelVerdict } from "../compile/authorization.ts";
import type { TargetOutcome } from "../compile/policy-targets.ts";
import { decideCondition } from "./decide-conditions.ts";

const partial = (effect: (ZtunnelVerdict & { kind: "partial" })["effect"]): ZtunnelVerdict => ({
  kind: "partial",
  attributes: ["methods", "paths"],
  effect,
});

const verdicts: readonly {
  readonly verdict: ZtunnelVerdict;
  readonly type: string;
  readonly status: string;
  readonly reason: string;
  readonly message: RegExp;
}[] = [
  {
    verdict: { kind: "enforced" },
    type: "ZtunnelAccepted",
    status: "True",
    reason: "Accepted",
    message: /^attached to ztunnel$/,
  },
  {
    verdict: { kind: "unsupported", what: "AUDIT action" },
    type: "ZtunnelAccepted",
    status: "False",
    reason: "UnsupportedValue",
    message: /does not support the AUDIT action/,
  },
  {
    verdict: { kind: "unsupported", what: "dry run" },
    type: "ZtunnelAccepted",
    status: "False",
    reason: "UnsupportedValue",
    message: /AMBIENT_ENABLE_DRY_RUN/,
  },
  ...(
    [
      [{ kind: "lastGood", generation: 3 }, /^Generation 3 stays in force\. .*spec\.x: bad$/],
      [{ kind: "allowsLess" }, /allows less/],
      [{ kind: "deniesMore" }, /denies everything/],
      [{ kind: "nothing" }, /^Not enforced/],
    ] as const
  ).map(([enforced, message]) => ({
    verdict: { kind: "invalid", problems: "spec.x: bad", enforced } as const,
    type: "ZtunnelAccepted",
    status: "False",
    reason: "Invalid",
    message,
  })),
  {
    verdict: partial("rulesOmitted"),
    type: "ZtunnelAccepted",
    status: "True",
    reason: "UnsupportedValue",
    message: /found: methods, paths.*allows less/,
  },
  {
    verdict: partial("attributesIgnored"),
    type: "ZtunnelAccepted",
    status: "True",
    reason: "UnsupportedValue",
    message: /denies more/,
  },
  {
    verdict: partial("someRulesInert"),
    type: "ZtunnelAccepted",
    status: "True",
    reason: "UnsupportedValue",
    message: /Some rules/,
  },
  {
    verdict: partial("noEffect"),
    type: "ZtunnelAccepted",
    status: "False",
    reason: "UnsupportedValue",
    message: /has no effect/,
  },
];

for (const { verdict, type, status, reason, message } of verdicts) {
  const name =
    verdict.kind === "partial"
      ? verdict.effect
      : verdict.kind === "invalid"
        ? `invalid, ${verdict.enforced.kind}`
        : verdict.kind;
  test(`condition: ${name}`, () => {
    const condition = decideCondition({
      namespace: "ns",
      name: "p",
      generation: 4,
      verdict,
      isForWaypoints: false,
    });
    assert.deepEqual(
      { type: condition.type, status: condition.status, reason: condition.reason },
      { type, status, reason },
    );
    assert.match(condition.message, message);
    assert.equal(condition.observedGeneration, "4");
  });
}

const service = { group: "", kind: "Service" };
const target = (name: string, outcome: TargetOutcome) => ({
  reference: { ...service, name },
  key: `ns/${name}`,
  outcome,
});
const bound: TargetOutcome = { kind: "bound", to: "ns/waypoint" };

const targets: readonly {
  readonly name: string;
  readonly targets: readonly ReturnType<typeof target>[];
  readonly want: readonly [status: string, reason: string, message: string];
}[] = [
  { name: "bound", targets: [target("a", bound)], want: ["True", "Accepted", "bound to ns/waypoint"] },
  {
    name: "two of one waypoint",
    targets: [target("a", bound), target("b", bound)],
    want: ["True", "Accepted", "bound to ns/waypoint"],
  },
  {
    name: "not bound",
    targets: [target("a", { kind: "notBound" })],
    want: ["False", "AncestorNotBound", "Service ns/a is not bound to a waypoint"],
  },
  {
    name: "not there",
    targets: [target("a", { kind: "notFound" })],
    want: ["False", "TargetNotFound", "Service ns/a was not found"],
  },
  {
    name: "invalid",
    targets: [target("a", { kind: "invalid", problem: "no" })],
    want: ["False", "Invalid", "no"],
  },
  {
    name: "none of two",
    targets: [target("a", { kind: "notFound" }), target("b", { kind: "notBound" })],
    want: ["False", "TargetNotFound", "Service ns/a was not found; Service ns/b is not bound to a waypoint"],
  },
  {
    name: "one of two",
    targets: [target("a", bound), target("b", { kind: "notBound" })],
    want: ["True", "PartiallyInvalid", "Invalid targetRefs: Service.core:ns/b"],
  },
];
for (const { name, targets: reported, want } of targets) {
  test(`WaypointPolicyStatusCollection: ${name}`, () => {
    const verdict = { kind: "targets", targets: reported } as const;
    const condition = decideCondition({
      namespace: "ns",
      name: "p",
      generation: 4,
      verdict,
      isForWaypoints: true,
    });
    assert.deepEqual(condition, {
      type: "WaypointAccepted",
      status: want[0],
      reason: want[1],
      message: want[2],
      observedGeneration: "4",
    });
  });
}
