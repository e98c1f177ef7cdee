import assert from "node:assert/strict";
import { test } from "node:test";
import type { ZtunnelVerdict } from "../compile/authorization.ts";
import { decideCondition, mergeCondition } from "./decide-conditions.ts";

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
    verdict: { kind: "notForZtunnel" },
    type: "WaypointAccepted",
    status: "False",
    reason: "AncestorNotBound",
    message: /not enforced/,
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
    const condition = decideCondition({ namespace: "ns", name: "p", generation: 4, verdict });
    assert.deepEqual(
      { type: condition.type, status: condition.status, reason: condition.reason },
      { type, status, reason },
    );
    assert.match(condition.message, message);
    assert.equal(condition.observedGeneration, "4");
  });
}

const wanted = decideCondition({ namespace: "ns", name: "p", generation: 1, verdict: { kind: "enforced" } });

test("merging: the same is not written again", () => {
  assert.equal(mergeCondition({ ...wanted, lastTransitionTime: "then" }, wanted, "now"), undefined);
});

test("merging: the time of transition changes with the status only", () => {
  const stored = { ...wanted, lastTransitionTime: "then" };
  assert.equal(mergeCondition(undefined, wanted, "now")?.lastTransitionTime, "now");
  assert.equal(
    mergeCondition({ ...stored, observedGeneration: "0" }, wanted, "now")?.lastTransitionTime,
    "then",
  );
  assert.equal(mergeCondition({ ...stored, status: "False" }, wanted, "now")?.lastTransitionTime, "now");
});
