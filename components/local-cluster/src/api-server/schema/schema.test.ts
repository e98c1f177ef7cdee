import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { customFaults } from "../custom/custom-validation.ts";
import type { Json } from "../json.ts";
import { typeFault } from "./check-types.ts";
import { fillDefaults } from "./defaults.ts";
import { prune } from "./prune.ts";
import { safePattern } from "./safe-pattern.ts";
import type { Schema } from "./schema.ts";
import { validateSchema } from "./validate.ts";

const cases: readonly { name: string; schema: Schema; value: Json; want: string }[] = [
  {
    name: "right",
    schema: { type: "object", properties: { a: { type: "integer" } } },
    value: { a: 1 },
    want: "",
  },
  { name: "wrong type", schema: { type: "string" }, value: 1, want: "must be of type string" },
  {
    name: "no fraction is an integer",
    schema: { type: "integer" },
    value: 1.5,
    want: "must be of type integer",
  },
  { name: "an integer is a number", schema: { type: "number" }, value: 1, want: "" },
  { name: "null", schema: { type: "string" }, value: null, want: "must be of type string" },
  { name: "nullable", schema: { type: "string", nullable: true }, value: null, want: "" },
  { name: "int or string", schema: { "x-kubernetes-int-or-string": true }, value: "50%", want: "" },
  {
    name: "neither int nor string",
    schema: { "x-kubernetes-int-or-string": true },
    value: true,
    want: "of type integer,string",
  },
  {
    name: "enum",
    schema: { type: "string", enum: ["a", "b"] },
    value: "c",
    want: 'supported values: "a", "b"',
  },
  { name: "pattern", schema: { type: "string", pattern: "^a+$" }, value: "b", want: "should match '^a+$'" },
  { name: "length counts code points", schema: { type: "string", maxLength: 1 }, value: "😀", want: "" },
  { name: "too long", schema: { type: "string", maxLength: 1 }, value: "ab", want: "Too long" },
  { name: "minimum", schema: { type: "integer", minimum: 1 }, value: 0, want: "greater than or equal to 1" },
  {
    name: "exclusive maximum",
    schema: { type: "integer", maximum: 5, exclusiveMaximum: true },
    value: 5,
    want: "less than 5",
  },
  {
    name: "too many",
    schema: { type: "array", maxItems: 1, items: {} },
    value: [1, 2],
    want: "must have at most 1 items",
  },
  {
    name: "set",
    schema: { type: "array", "x-kubernetes-list-type": "set", items: {} },
    value: ["a", "a"],
    want: "Duplicate value",
  },
  { name: "required", schema: { type: "object", required: ["a"] }, value: {}, want: "a: Required value" },
  {
    name: "required is not inherited",
    schema: { type: "object", required: ["toString"] },
    value: {},
    want: "toString: Required",
  },
  {
    name: "one of two",
    schema: { type: "object", oneOf: [{ required: ["a"] }, { required: ["b"] }] },
    value: { a: 1, b: 1 },
    want: "Found 2 valid alternatives",
  },
  { name: "any of", schema: { type: "object", anyOf: [{ required: ["a"] }] }, value: {}, want: "(anyOf)" },
  { name: "not", schema: { type: "object", not: { required: ["a"] } }, value: { a: 1 }, want: "(not)" },
  {
    name: "format",
    schema: { type: "string", format: "date-time" },
    value: "yesterday",
    want: "of type date-time",
  },
];
for (const c of cases) {
  test(`schema: ${c.name}`, () => {
    const causes = validateSchema(c.schema, c.value, "").map((cause) => `${cause.field}: ${cause.message}`);
    if (c.want === "") assert.deepEqual(causes, []);
    else assert.ok(causes.length === 1 && causes[0]?.includes(c.want), JSON.stringify(causes));
  });
}

test("patterns take linear time", () => {
  assert.equal(safePattern("^(a+)+$")?.(`${"a".repeat(5_000)}b`), false);
  assert.equal(safePattern("(?=a)b"), undefined);
});

test("defaults: nested, in lists, and for null where none may be", () => {
  const schema: Schema = {
    type: "object",
    properties: {
      a: { type: "object", default: {}, properties: { b: { type: "string", default: "x" } } },
      list: { type: "array", items: { type: "object", properties: { n: { type: "integer", default: 1 } } } },
      gone: { type: "string" },
    },
  };
  assert.deepEqual(fillDefaults(schema, { list: [{}, { n: 2 }], gone: null }), {
    list: [{ n: 1 }, { n: 2 }],
    a: { b: "x" },
  });
});

test("pruning names what it cuts and keeps what may stay", () => {
  const schema: Schema = {
    type: "object",
    properties: {
      known: { type: "object", properties: { a: {} } },
      free: { type: "object", "x-kubernetes-preserve-unknown-fields": true },
      map: { type: "object", additionalProperties: { type: "object", properties: {} } },
    },
  };
  const pruned = prune(
    schema,
    { known: { a: 1, b: 2 }, free: { x: { y: 1 } }, map: { k: { z: 1 } }, other: 1 },
    { dropNulls: false },
  );
  assert.deepEqual(pruned.value, { known: { a: 1 }, free: { x: { y: 1 } }, map: { k: {} } });
  assert.deepEqual(pruned.unknown, ["known.b", "map.k.z", "other"]);
});

const celCases = [
  { name: "holds", rule: "self.a < 3", value: { a: 1 }, want: "" },
  { name: "fails", rule: "self.a < 3", value: { a: 5 }, want: "failed rule: self.a < 3" },
  { name: "a change", rule: "self.a >= oldSelf.a", value: { a: 1 }, old: { a: 2 }, want: "failed rule" },
  { name: "a change of what was not there", rule: "self.a >= oldSelf.a", value: { a: 1 }, want: "" },
  {
    name: "escaped names",
    rule: "self.x__dash__y == 'v' && self.__namespace__ == 'n'",
    value: { a: 1, "x-y": "v", namespace: "n" },
    want: "",
  },
  { name: "a missing key", rule: "self.b == 1", value: { a: 1 }, want: "rule evaluation error" },
  { name: "no CEL", rule: "self.a <", value: { a: 1 }, want: "rule compile error" },
  { name: "not a boolean", rule: "self.a", value: { a: 1 }, want: "failed rule" },
];
for (const c of celCases) {
  test(`CEL: ${c.name}`, () => {
    const text: Schema = { type: "string" };
    const spec: Schema = {
      type: "object",
      properties: { a: { type: "integer" }, "x-y": text, namespace: text },
      "x-kubernetes-validations": [{ rule: c.rule }],
    };
    const object = (value: Json): { metadata: { name: string }; spec: Json } => ({
      metadata: { name: "n" },
      spec: value,
    });
    const old = "old" in c && c.old !== undefined ? object(c.old) : undefined;
    const causes = customFaults({ type: "object", properties: { spec } }, object(c.value), old);
    assert.equal(
      causes
        .map((cause) => cause.message)
        .join()
        .includes(c.want),
      true,
      JSON.stringify(causes),
    );
    assert.equal(causes.length, c.want === "" ? 0 : 1);
  });
}

test("schemas: any JSON passes through pruning, types, validation and defaults without a fault of ours", () => {
  const schema: Schema = { $ref: "io.k8s.api.core.v1.Pod" };
  const keys = fc.constantFrom(
    "metadata",
    "spec",
    "containers",
    "name",
    "ports",
    "labels",
    "__proto__",
    "resources",
    "limits",
    "cpu",
  );
  const { tree } = fc.letrec((tie) => ({
    tree: fc.oneof(
      { maxDepth: 5 },
      fc.constantFrom<Json>(null, 1, "x", false),
      fc.array(tie("tree"), { maxLength: 3 }),
      fc.dictionary(keys, tie("tree"), { maxKeys: 4 }),
    ),
  }));
  fc.assert(
    fc.property(tree, (value) => {
      const pruned = prune(schema, value as Json, { dropNulls: true }).value;
      typeFault(schema, pruned, "");
      validateSchema(schema, pruned, "");
      fillDefaults(schema, pruned);
    }),
    { numRuns: 1_000 },
  );
});
