import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { declaredPart, differencesOf } from "./differences.ts";
import { differenceText, withoutSecrets } from "./render-differences.ts";

const CASES = [
  { name: "the same", before: { a: [1, { b: "c" }] }, after: { a: [1, { b: "c" }] }, want: [] },
  { name: "a value", before: { a: 1 }, after: { a: 2 }, want: ["~ a: 1 → 2"] },
  { name: "more and less", before: { a: 1 }, after: { b: "x" }, want: ["- a: 1", "+ b: x"] },
  { name: "what is empty is not there", before: { a: {}, b: [] }, after: { c: null }, want: [] },
  {
    name: "named things by name, whatever their order",
    before: { env: [{ name: "A", value: "1" }, { name: "B" }] },
    after: { env: [{ name: "B" }, { name: "A", value: "2" }, { name: "C" }] },
    want: ["~ env[A].value: 1 → 2", '+ env[C]: {"name":"C"}'],
  },
  {
    name: "two of one name by position",
    before: [{ name: "A", value: "1" }, { name: "A" }],
    after: [{ name: "A" }],
    want: ["- [0].value: 1", '- [1]: {"name":"A"}'],
  },
  {
    name: "another kind of value",
    before: { a: { b: 1 } },
    after: { a: "x" },
    want: ['~ a: {"b":1} → x'],
  },
  {
    name: "text that moves a cursor",
    before: {},
    after: { "a\u001b[2J": "\u0007" },
    want: ['+ ["a\\u001b[2J"]: ?'],
  },
];
for (const { name, before, after, want } of CASES)
  test(`differences: ${name}`, () =>
    assert.deepEqual(withoutSecrets("ConfigMap", differencesOf(before, after)).map(differenceText), want));

test("no value of a Secret is shown", () => {
  const shown = withoutSecrets(
    "Secret",
    differencesOf(
      { data: { key: "aGlkZGVu", "tls.key": "aGlkZGVu" }, type: "a" },
      { data: { key: "c2VjcmV0", other: "bW9yZQ==" }, type: "b" },
    ),
  );
  assert.deepEqual(shown.map(differenceText), [
    "~ data.key: changed (not shown)",
    '- data["tls.key"]: (not shown)',
    "+ data.other: (not shown)",
    "~ type: a → b",
  ]);
  assert.doesNotMatch(JSON.stringify(shown), /aGlk|c2Vj|bW9y/);
});

test("of long values the part that differs is shown", () => {
  const long = "x".repeat(500);
  const [line = ""] = withoutSecrets("ConfigMap", differencesOf({ a: `${long}1` }, { a: `${long}2` })).map(
    differenceText,
  );
  assert.match(line, /^~ a: …x+1 → …x+2$/);
  assert.ok(line.length < 300);
});

test("what the server writes is not declared", () => {
  const object = {
    kind: "Deployment",
    metadata: {
      name: "a",
      uid: "u",
      resourceVersion: "1",
      annotations: { "deployment.kubernetes.io/revision": "2", own: "x" },
    },
    spec: {},
    status: { replicas: 1 },
  };
  assert.deepEqual(declaredPart(object), {
    kind: "Deployment",
    metadata: { name: "a", annotations: { own: "x" } },
    spec: {},
  });
});

test("any two values have differences, and none when they are the same", () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.jsonValue(), (a, b) => {
      assert.deepEqual(differencesOf(a, structuredClone(a)), []);
      for (const difference of withoutSecrets("Secret", differencesOf(a, b))) differenceText(difference);
    }),
    { numRuns: 200 },
  );
});
