import assert from "node:assert/strict";
import { test } from "node:test";
import { type ConditionContent, conditionsOf, mergeConditions, type StoredCondition } from "./condition.ts";

const wanted: ConditionContent = {
  type: "A",
  status: "True",
  reason: "Good",
  message: "fine",
  observedGeneration: 1,
};
const stored: StoredCondition = { ...wanted, lastTransitionTime: "then" };
const foreign: StoredCondition = { ...stored, type: "B" };

const cases: readonly {
  readonly name: string;
  readonly stored: readonly StoredCondition[];
  readonly wanted: readonly ConditionContent[];
  readonly want: readonly StoredCondition[] | undefined;
}[] = [
  { name: "the same is not written again", stored: [stored], wanted: [wanted], want: undefined },
  {
    name: "a generation as text is the same",
    stored: [{ ...stored, observedGeneration: "1" }],
    wanted: [wanted],
    want: undefined,
  },
  { name: "new", stored: [], wanted: [wanted], want: [{ ...wanted, lastTransitionTime: "now" }] },
  {
    name: "the time stays while the status does",
    stored: [{ ...stored, reason: "Other" }],
    wanted: [wanted],
    want: [stored],
  },
  {
    name: "the time changes with the status",
    stored: [{ ...stored, status: "False" }],
    wanted: [wanted],
    want: [{ ...wanted, lastTransitionTime: "now" }],
  },
  { name: "what is not wanted any more goes", stored: [stored], wanted: [], want: [] },
  { name: "what is another's is left alone", stored: [foreign], wanted: [], want: undefined },
];
for (const { name, want, ...given } of cases)
  test(`merging: ${name}`, () =>
    assert.deepEqual(mergeConditions(given.stored, given.wanted, ["A"], "now"), want));

test("a message has a bound", () => {
  const [condition] = mergeConditions([], [{ ...wanted, message: "x".repeat(100_000) }], ["A"], "now") ?? [];
  assert.equal(condition?.message.length, 32_768);
});

test("conditions are read from whatever is stored", () => {
  for (const status of [undefined, null, {}, { conditions: "x" }, { conditions: [null, 1, {}] }])
    assert.deepEqual(conditionsOf(status), []);
  assert.deepEqual(conditionsOf({ conditions: [stored] }), [stored]);
});
