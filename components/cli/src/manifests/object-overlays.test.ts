import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { patchObjects, readOverlays } from "./object-overlays.ts";
import type { Manifest } from "./objects.ts";

const DEPLOYMENT: Manifest = {
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: { name: "istiod", labels: { "a.b/c": "1" } },
  spec: { containers: [{ name: "discovery", args: ["x", "y"] }, { name: "other" }], replicas: 1 },
};

function patch(path: string, value: unknown): ReturnType<typeof patchObjects> {
  const read = readOverlays([{ kind: "Deployment", name: "istiod", patches: [{ path, value }] }]);
  assert.deepEqual(read.problems, []);
  return patchObjects([DEPLOYMENT], read.overlays);
}

const cases = [
  { path: "spec.replicas", value: 3, at: (o: Manifest) => spec(o).replicas, want: 3 },
  { path: "spec.paused", value: true, at: (o: Manifest) => spec(o).paused, want: true },
  { path: "spec.replicas", value: null, at: (o: Manifest) => spec(o).replicas, want: undefined },
  { path: "spec.containers.[name:discovery].args[1]", value: "z", at: argsOf, want: ["x", "z"] },
  { path: "spec.containers[name:discovery].args[:x]", value: "w", at: argsOf, want: ["w", "y"] },
  { path: "spec.containers[0].args[2]", value: "z", at: argsOf, want: ["x", "y", "z"] },
  {
    path: "spec.containers[name:other]",
    value: null,
    at: (o: Manifest) => spec(o).containers.length,
    want: 1,
  },
  {
    path: "metadata.labels.a\\.b/c",
    value: "2",
    at: (o: Manifest) => o.metadata.labels?.["a.b/c"],
    want: "2",
  },
] as const;

function spec(object: Manifest): { replicas?: number; paused?: boolean; containers: { args?: string[] }[] } {
  return object["spec"] as ReturnType<typeof spec>;
}
function argsOf(object: Manifest): unknown {
  return spec(object).containers[0]?.args;
}

for (const { path, value, at, want } of cases)
  test(`overlay ${path} = ${JSON.stringify(value)}`, () => {
    const { objects, problems } = patch(path, value);
    assert.deepEqual(problems, []);
    assert.ok(objects[0]);
    assert.deepEqual(at(objects[0]), want);
    assert.equal(spec(DEPLOYMENT).replicas, 1, "the original is as it was");
  });

for (const path of [
  "spec.containers[name:nobody].args",
  "spec.replicas.more",
  "spec[0]",
  "spec.containers[9].name",
])
  test(`overlay ${path} leads nowhere`, () => {
    assert.match(patch(path, 1).problems.join(), /leads nowhere/);
  });

for (const overlays of [
  "text",
  [{ kind: "Deployment" }],
  [{ kind: "D", name: "n", patches: [{ value: 1 }] }],
  [{ kind: "D", name: "n", patches: [{ path: "a[b]" }] }],
])
  test(`overlays ${JSON.stringify(overlays)} are refused`, () => {
    assert.equal(readOverlays(overlays).problems.length, 1);
  });

test("any path is taken or refused, and nothing is thrown", () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 60 }), fc.jsonValue(), (path, value) => {
      const read = readOverlays([{ kind: "Deployment", name: "istiod", patches: [{ path, value }] }]);
      patchObjects([DEPLOYMENT], read.overlays);
    }),
  );
});
