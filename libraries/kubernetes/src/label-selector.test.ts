import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  formatRequirements,
  type Labels,
  matchesLabelSelector,
  matchesLabels,
  matchesRequirements,
  parseSelector,
} from "./label-selector.ts";

const labels: Labels = { app: "a", tier: "web", "example.com/x": "" };
const cases = [
  ["", true],
  ["app=a", true],
  ["app==a,tier!=db", true],
  ["app in (b, a)", true],
  ["app notin (a)", false],
  ["other notin (a)", true],
  ["other!=a", true],
  ["app", true],
  ["!app", false],
  ["!other", true],
  ["example.com/x=", true],
  ["app=a,other", false],
  ["app=constructor", false],
  ["constructor", false],
] as const;
for (const [text, want] of cases) {
  test(`selector ${JSON.stringify(text)} ${want ? "selects" : "does not select"}`, () => {
    const parsed = parseSelector(text);
    assert.ok(parsed.kind === "ok");
    assert.equal(matchesRequirements(parsed.requirements, labels), want);
    const again = parseSelector(formatRequirements(parsed.requirements));
    assert.deepEqual(again, parsed);
  });
}

for (const text of [
  "=a",
  "a b",
  "a in ()x",
  "a in (b",
  "a=b=c",
  ",",
  "a=_",
  "-a",
  "a/b/c",
  "a in (b c)",
  "x".repeat(70_000),
]) {
  test(`selector ${JSON.stringify(text.slice(0, 20))} is refused`, () => {
    assert.equal(parseSelector(text).kind, "invalid");
  });
}

test("any text is parsed or refused, and never takes long", () => {
  fc.assert(fc.property(fc.string({ maxLength: 2000 }), (text) => parseSelector(text).kind !== undefined));
  assert.equal(parseSelector("(".repeat(30_000)).kind, "invalid");
  assert.equal(parseSelector(`a in ${"(,".repeat(20_000)}`).kind, "invalid");
});

test("selectors of specs: none selects nothing, an empty one everything, a broken one nothing", () => {
  assert.equal(matchesLabelSelector(undefined, labels), false);
  assert.equal(matchesLabelSelector({}, labels), true);
  assert.equal(matchesLabelSelector({ matchExpressions: [{ key: "app", operator: "Near" }] }, labels), false);
  assert.equal(
    matchesLabelSelector({ matchExpressions: [{ key: "app", operator: "In", values: [] }] }, labels),
    false,
  );
  assert.equal(
    matchesLabelSelector(
      { matchLabels: { app: "a" }, matchExpressions: [{ key: "z", operator: "DoesNotExist" }] },
      labels,
    ),
    true,
  );
  assert.equal(matchesLabels({}, labels), false);
  assert.equal(matchesLabels({ app: "a" }, labels), true);
  assert.equal(matchesLabels({ app: "a" }, undefined), false);
});
