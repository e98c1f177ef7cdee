import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Json } from "../json.ts";
import type { Schema } from "../schema/schema.ts";
import { compileRule } from "./cel-rules.ts";
import { readRule } from "./cel-source.ts";
import { customFaults } from "./custom-validation.ts";

const rewritten: readonly (readonly [string, string])[] = [
  ["has(self.a)", "has(self.a)"],
  ["has(self.a.b) && has( self.a.?b.c )", "has(self.a.b) && has( self.a.?b.c )"],
  ["has(self.m[0].path)", 'hasField(self.m[0], "path")'],
  ["has ( self.m [0] . path )", 'hasField(self.m[0], "path")'],
  ["has(self.m[has(self.n[0].k) ? 1 : 0].path)", 'hasField(self.m[hasField(self.n[0], "k")?1:0], "path")'],
  ["self.a.matches('x')", "self.a.linearMatches('x')"],
  ["self.matches[0] == 'has(self.m[0].p)'", "self.matches[0] == 'has(self.m[0].p)'"],
  ["self.matches.exists(m, has(m.path))", "self.matches.exists(m, has(m.path))"],
  ['"a\\"matches(" + r"\\"', '"a\\"matches(" + r"\\"'],
  ["'''has(a[0].b) ' '''", "'''has(a[0].b) ' '''"],
  ["has(self.m[0]", "has(self.m[0]"],
  ["", ""],
];
for (const [rule, text] of rewritten) test(`text: ${rule}`, () => assert.equal(readRule(rule).text, text));

const shapes: readonly (readonly [string, number, number])[] = [
  ["self.a == 1", 0, 0],
  ["self.all(x, x > 0)", 1, 0],
  ["self.all(x, x > 0) && self.all(x, x in [1, 2, 3])", 1, 3],
  ["self.all(x, self.exists_one(y, (x == y)))", 2, 0],
  ["self.map(x, x).filter(x, x in ['all(', 'b'])", 1, 2],
];
for (const [rule, loopDepth, spelledEntries] of shapes)
  test(`shape: ${rule}`, () => {
    const { shape } = readRule(rule);
    assert.deepEqual([shape.loopDepth, shape.spelledEntries], [loopDepth, spelledEntries]);
  });

test("any text is read, and stays what it is where nothing is put differently", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary", maxLength: 200 }), (rule) => {
      assert.equal(readRule(rule).text, rule);
    }),
  );
  const word = fc.constantFrom(
    "has",
    "matches",
    "(",
    ")",
    ".",
    "self",
    "[0]",
    "'",
    '"',
    "r",
    "\\",
    " ",
    "//",
  );
  fc.assert(fc.property(fc.array(word, { maxLength: 40 }), (words) => void readRule(words.join(""))));
});

const text: Schema = { type: "string" };
const schema = (rule: string): Schema => ({
  type: "object",
  properties: {
    spec: {
      type: "object",
      properties: {
        list: { type: "array", items: { type: "object", properties: { path: text, name: text } } },
        matches: { type: "array", items: text },
        name: text,
      },
      "x-kubernetes-validations": [{ rule, message: "rule does not hold" }],
    },
  },
});
const judge = (rule: string, spec: Json): readonly string[] =>
  customFaults(schema(rule), { apiVersion: "a/v1", kind: "A", metadata: { name: "a" }, spec }, undefined).map(
    ({ message }) => message,
  );

const list = (length: number): Json => Array.from({ length }, (_, at) => ({ path: `p${at}` }));
const cases: readonly (readonly [string, string, Json, RegExp | undefined])[] = [
  ["a field behind an index is there", "has(self.list[0].path)", { list: [{ path: "/" }] }, undefined],
  ["a field behind an index is absent", "has(self.list[0].path)", { list: [{}] }, /does not hold/],
  ["the index itself is out of bounds", "has(self.list[1].path)", { list: [{}] }, /evaluation error.*index/],
  ["a pattern that matches", "self.name.matches('^a+$')", { name: "aaa" }, undefined],
  ["a pattern that does not", "self.name.matches('^a+$')", { name: "b" }, /does not hold/],
  ["a pattern in a field's name", "self.matches.all(m, m.matches('x'))", { matches: ["x"] }, undefined],
  ["no RE2 expression", "self.name.matches('(?=a)')", { name: "b" }, /RE2/],
  // A backtracking engine would need longer than the universe has been there.
  ["a catastrophic pattern", "!self.name.matches('^(a+)+$')", { name: `${"a".repeat(50_000)}!` }, undefined],
  [
    "loops that fit",
    "self.list.all(x, self.list.exists_one(y, x.path == y.path))",
    { list: list(64) },
    undefined,
  ],
  [
    "loops that do not",
    "self.list.all(x, self.list.all(y, self.list.all(z, true)))",
    { list: list(500) },
    /costs too much/,
  ],
  [
    "a text cut into too many",
    "self.name.split('').all(x, self.name.split('').all(y, true))",
    { name: "a".repeat(5000) },
    /costs too much/,
  ],
];
for (const [name, rule, spec, want] of cases)
  test(name, () => {
    const faults = judge(rule, spec);
    if (want === undefined) assert.deepEqual(faults, []);
    else assert.match(faults.join("\n"), want);
  });

test("a rule of twenty thousand characters is refused", () => {
  assert.equal(compileRule(`self.a == '${"x".repeat(20_000)}'`).kind, "bad");
});
