import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Json } from "../json.ts";
import { Refusal } from "../refusal.ts";
import { jsonPatch } from "./json-patch.ts";
import { mergePatch } from "./merge-patch.ts";
import { strategicPatch } from "./strategic-patch.ts";

const DEPLOYMENT = { $ref: "io.k8s.api.apps.v1.Deployment" };
const POD = { $ref: "io.k8s.api.core.v1.Pod" };

test("merge patch: the examples of RFC 7386, appendix A", () => {
  const cases: readonly [Json, Json, Json][] = [
    [{ a: "b" }, { a: "c" }, { a: "c" }],
    [{ a: "b" }, { b: "c" }, { a: "b", b: "c" }],
    [{ a: "b" }, { a: null }, {}],
    [{ a: ["b"] }, { a: "c" }, { a: "c" }],
    [{ a: { b: "c" } }, { a: { b: "d", c: null } }, { a: { b: "d" } }],
    [{ a: [{ b: "c" }] }, { a: [1] }, { a: [1] }],
    [["a"], { a: "c" }, { a: "c" }],
    [{ e: null }, { a: 1 }, { e: null, a: 1 }],
    [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
    [{ a: "foo" }, null, null],
  ];
  for (const [target, patch, want] of cases) assert.deepEqual(mergePatch(target, patch), want);
});

test("merge patch: a __proto__ key stays a key", () => {
  const result = mergePatch({}, JSON.parse('{"__proto__":{"polluted":true}}') as Json);
  assert.equal(({} as Record<string, unknown>)["polluted"], undefined);
  assert.equal(JSON.stringify(result), '{"__proto__":{"polluted":true}}');
});

const operations = [
  {
    name: "add",
    target: { a: [1, 3] },
    patch: [{ op: "add", path: "/a/1", value: 2 }],
    want: { a: [1, 2, 3] },
  },
  { name: "append", target: { a: [1] }, patch: [{ op: "add", path: "/a/-", value: 2 }], want: { a: [1, 2] } },
  {
    name: "escapes",
    target: { "a/b~": 1 },
    patch: [{ op: "replace", path: "/a~1b~0", value: 2 }],
    want: { "a/b~": 2 },
  },
  {
    name: "remove",
    target: { a: { b: 1, c: 2 } },
    patch: [{ op: "remove", path: "/a/b" }],
    want: { a: { c: 2 } },
  },
  { name: "move", target: { a: 1 }, patch: [{ op: "move", from: "/a", path: "/b" }], want: { b: 1 } },
  {
    name: "copy",
    target: { a: { x: 1 } },
    patch: [{ op: "copy", from: "/a", path: "/b" }],
    want: { a: { x: 1 }, b: { x: 1 } },
  },
  { name: "whole", target: { a: 1 }, patch: [{ op: "replace", path: "", value: { b: 1 } }], want: { b: 1 } },
  { name: "test holds", target: { a: 1 }, patch: [{ op: "test", path: "/a", value: 1 }], want: { a: 1 } },
  { name: "test fails", target: { a: 1 }, patch: [{ op: "test", path: "/a", value: 2 }], code: 422 },
  { name: "remove nothing", target: {}, patch: [{ op: "remove", path: "/a" }], code: 422 },
  { name: "index too large", target: { a: [] }, patch: [{ op: "add", path: "/a/1", value: 1 }], code: 422 },
  {
    name: "index with a leading zero",
    target: { a: [1, 2] },
    patch: [{ op: "remove", path: "/a/01" }],
    code: 422,
  },
  {
    name: "move into itself",
    target: { a: { b: 1 } },
    patch: [{ op: "move", from: "/a", path: "/a/b" }],
    code: 422,
  },
  { name: "no list", target: {}, patch: { op: "add" }, code: 400 },
  { name: "unknown op", target: {}, patch: [{ op: "grow", path: "/a" }], code: 400 },
  { name: "no pointer", target: {}, patch: [{ op: "remove", path: "a" }], code: 400 },
];
for (const c of operations) {
  test(`json patch: ${c.name}`, () => {
    const before = structuredClone(c.target);
    const apply = (): Json => jsonPatch(c.target as Json, c.patch as Json);
    if (c.code === undefined) assert.deepEqual(apply(), c.want);
    else assert.throws(apply, (error: unknown) => error instanceof Refusal && error.httpCode === c.code);
    assert.deepEqual(c.target, before, "the target is left alone");
  });
}

const containers = (...list: Json[]): Json => ({ spec: { containers: list } });

const strategies = [
  {
    name: "lists merge by key",
    target: containers(
      { name: "a", image: "1", env: [{ name: "X", value: "1" }] },
      { name: "b", image: "1" },
    ),
    patch: containers({ name: "a", env: [{ name: "Y", value: "2" }] }),
    want: containers(
      {
        name: "a",
        image: "1",
        env: [
          { name: "X", value: "1" },
          { name: "Y", value: "2" },
        ],
      },
      { name: "b", image: "1" },
    ),
  },
  {
    name: "an element is deleted",
    target: containers({ name: "a" }, { name: "b" }),
    patch: containers({ name: "a", $patch: "delete" }),
    want: containers({ name: "b" }),
  },
  {
    name: "a list is replaced",
    target: containers({ name: "a" }, { name: "b" }),
    patch: containers({ $patch: "replace" }, { name: "c" }),
    want: containers({ name: "c" }),
  },
  {
    name: "atomic lists are replaced",
    target: containers({ name: "a", args: ["1", "2"] }),
    patch: containers({ name: "a", args: ["3"] }),
    want: containers({ name: "a", args: ["3"] }),
  },
  {
    name: "the order of elements",
    target: containers({ name: "a" }, { name: "b" }),
    patch: { spec: { "$setElementOrder/containers": [{ name: "b" }, { name: "a" }] } },
    want: containers({ name: "b" }, { name: "a" }),
  },
  {
    name: "primitives are added and taken out",
    target: { metadata: { finalizers: ["a/1", "b/2"] } },
    patch: { metadata: { "$deleteFromPrimitiveList/finalizers": ["a/1"], finalizers: ["c/3"] } },
    want: { metadata: { finalizers: ["b/2", "c/3"] } },
  },
  {
    name: "retained keys",
    target: { spec: { volumes: [{ name: "v", emptyDir: {} }] } },
    patch: {
      spec: { volumes: [{ name: "v", $retainKeys: ["name", "hostPath"], hostPath: { path: "/x" } }] },
    },
    want: { spec: { volumes: [{ name: "v", hostPath: { path: "/x" } }] } },
  },
  {
    name: "null removes",
    target: { metadata: { labels: { a: "1" } } },
    patch: { metadata: { labels: { a: null } } },
    want: { metadata: { labels: {} } },
  },
];
for (const c of strategies) {
  test(`strategic merge: ${c.name}`, () =>
    assert.deepEqual(strategicPatch(POD, c.target as Json, c.patch as Json), c.want));
}

test("strategic merge: an element without its key and an unknown directive are refused", () => {
  assert.throws(() => strategicPatch(POD, {}, containers({ image: "x" })), /no merge key "name"/);
  assert.throws(() => strategicPatch(DEPLOYMENT, {}, { spec: { $patch: "grow" } }), /expected \$patch to be/);
  assert.throws(() => strategicPatch(POD, {}, []), /expected an object/);
});

test("patches: any JSON is applied or refused, and the target never changes", () => {
  const keys = fc.constantFrom(
    "a",
    "spec",
    "containers",
    "name",
    "$patch",
    "$retainKeys",
    "$setElementOrder/containers",
    "__proto__",
    "op",
    "path",
  );
  const { tree } = fc.letrec((tie) => ({
    tree: fc.oneof(
      { maxDepth: 4 },
      fc.constantFrom<Json>(null, 1, "", "/a", "replace", true),
      fc.array(tie("tree"), { maxLength: 3 }),
      fc.dictionary(keys, tie("tree"), { maxKeys: 3 }),
    ),
  }));
  fc.assert(
    fc.property(tree, tree, (target, patch) => {
      const before = JSON.stringify(target);
      for (const apply of [mergePatch, jsonPatch, (a: Json, b: Json): Json => strategicPatch(POD, a, b)]) {
        try {
          apply(target as Json, patch as Json);
        } catch (error) {
          assert.ok(error instanceof Refusal, String(error));
        }
      }
      assert.equal(JSON.stringify(target), before);
    }),
    { numRuns: 1_000 },
  );
});

test("json patch: copies of copies are refused before they fill the memory", () => {
  const double = { op: "copy", from: "/list", path: "/list/-" };
  assert.throws(
    () =>
      jsonPatch(
        { list: ["x".repeat(1_000)] },
        Array.from({ length: 40 }, () => double),
      ),
    (error) => error instanceof Refusal && error.httpCode === 413 && /copies are larger/.test(error.message),
  );
  assert.deepEqual(jsonPatch({ list: [1] }, [double]), { list: [1, [1]] });
});
