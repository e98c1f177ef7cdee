import assert from "node:assert/strict";
import { test } from "node:test";
import { nearestName, suggestion } from "./suggest.ts";

const FIELDS = ["selector", "matchLabels", "action", "rules", "principals"];
const CASES = [
  { name: "a letter missing", typed: "principal", want: "principals" },
  { name: "neighbours swapped", typed: "acitno", want: "action" },
  { name: "another case", typed: "MATCHLABELS", want: "matchLabels" },
  { name: "nothing near", typed: "hosts", want: undefined },
  { name: "empty", typed: "", want: undefined },
  { name: "too long to be a slip", typed: `rules${"s".repeat(100)}`, want: undefined },
];
for (const { name, typed, want } of CASES)
  test(`nearestName: ${name}`, () => assert.equal(nearestName(typed, FIELDS), want));

test("suggestion names the nearest, or what there is", () => {
  assert.equal(suggestion("rule", FIELDS), "; did you mean rules?");
  assert.equal(suggestion("hosts", ["b", "a"]), "; known here: a, b");
  assert.equal(suggestion("hosts", []), "");
});
