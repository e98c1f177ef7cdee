import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { isTree, strategicMerge, type Tree } from "./strategic-merge.ts";

const container = (fields: object) => ({ containers: [{ name: "istio-proxy", ...fields }] });

const cases: readonly {
  readonly name: string;
  readonly target: Tree;
  readonly patch: Tree;
  readonly want: Tree;
}[] = [
  { name: "maps merge", target: { a: { b: 1, c: 2 } }, patch: { a: { c: 3 } }, want: { a: { b: 1, c: 3 } } },
  { name: "null removes", target: { a: 1, b: 2 }, patch: { a: null }, want: { b: 2 } },
  {
    name: "a container merges by name",
    target: container({ image: "a", args: ["x"] }),
    patch: container({ image: "b" }),
    want: container({ image: "b", args: ["x"] }),
  },
  {
    name: "another container is added",
    target: container({}),
    patch: { containers: [{ name: "side" }] },
    want: { containers: [{ name: "istio-proxy" }, { name: "side" }] },
  },
  {
    name: "variables merge by name",
    target: { env: [{ name: "A", value: "1" }, { name: "B" }] },
    patch: { env: [{ name: "A", value: "2" }] },
    want: { env: [{ name: "A", value: "2" }, { name: "B" }] },
  },
  {
    name: "ports of a Service merge by number",
    target: { ports: [{ port: 1, name: "a" }, { port: 2 }] },
    patch: { ports: [{ port: 1, nodePort: 3 }] },
    want: { ports: [{ port: 1, name: "a", nodePort: 3 }, { port: 2 }] },
  },
  {
    name: "ports of a container merge by theirs",
    target: { ports: [{ containerPort: 1 }] },
    patch: { ports: [{ containerPort: 1, name: "a" }] },
    want: { ports: [{ containerPort: 1, name: "a" }] },
  },
  {
    name: "other lists are replaced",
    target: { args: ["a"] },
    patch: { args: ["b"] },
    want: { args: ["b"] },
  },
  {
    name: "an element is deleted",
    target: { volumes: [{ name: "a" }, { name: "b" }] },
    patch: { volumes: [{ name: "a", $patch: "delete" }] },
    want: { volumes: [{ name: "b" }] },
  },
  {
    name: "a list is replaced",
    target: { tolerations: [], volumes: [{ name: "a" }] },
    patch: { volumes: [{ $patch: "replace" }, { name: "b" }] },
    want: { tolerations: [], volumes: [{ name: "b" }] },
  },
  {
    name: "a map is replaced",
    target: { selector: { a: 1 } },
    patch: { selector: { $patch: "replace", b: 2 } },
    want: { selector: { b: 2 } },
  },
  {
    name: "keys are retained",
    target: { strategy: { type: "RollingUpdate", rollingUpdate: {} } },
    patch: { strategy: { $retainKeys: ["type"], type: "Recreate" } },
    want: { strategy: { type: "Recreate" } },
  },
  {
    name: "a primitive is deleted",
    target: { args: ["a", "b"] },
    patch: { "$deleteFromPrimitiveList/args": ["a"] },
    want: { args: ["b"] },
  },
  {
    name: "an order is no field",
    target: { env: [{ name: "A" }] },
    patch: { "$setElementOrder/env": [{ name: "A" }] },
    want: { env: [{ name: "A" }] },
  },
  {
    name: "nothing of a prototype",
    target: {},
    patch: JSON.parse('{"__proto__": {"polluted": true}}') as Tree,
    want: JSON.parse('{"__proto__": {"polluted": true}}') as Tree,
  },
];
for (const { name, target, patch, want } of cases) {
  test(`strategic merge: ${name}`, () => {
    const before = structuredClone(target);
    assert.deepEqual(strategicMerge(target, patch), want);
    assert.deepEqual(target, before);
    assert.equal(({} as { polluted?: boolean }).polluted, undefined);
  });
}

for (const patch of [{ $patch: "merge-all" }, { containers: ["x"] }, { containers: [{ image: "a" }] }])
  test(`strategic merge refuses ${JSON.stringify(patch)}`, () =>
    assert.throws(() => strategicMerge({ containers: [] }, patch), /strategic merge patch: /));

test("strategic merge: whatever the patch, a tree or a refusal", () => {
  const tree = fc.dictionary(
    fc.constantFrom("containers", "env", "name", "a", "$patch", "ports", "__proto__"),
    fc.jsonValue({ maxDepth: 3 }),
  );
  fc.assert(
    fc.property(tree, tree, (target, patch) => {
      try {
        const once = strategicMerge(target, patch);
        assert.ok(isTree(once));
      } catch (error) {
        assert.match(String(error), /strategic merge patch/);
      }
    }),
    { numRuns: 300 },
  );
});
