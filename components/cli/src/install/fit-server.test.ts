import assert from "node:assert/strict";
import { test } from "node:test";
import type { Manifest } from "../manifests/objects.ts";
import { fitToServer } from "./fit-server.ts";

const rule = { "x-kubernetes-validations": [{ rule: "self != ''" }] };
const definition: Manifest = {
  apiVersion: "apiextensions.k8s.io/v1",
  kind: "CustomResourceDefinition",
  metadata: { name: "a.b" },
  spec: {
    versions: [{ schema: { properties: { spec: { type: "object", ...rule, items: [{ ...rule }, 1] } } } }],
  },
};
const daemonSet: Manifest = {
  apiVersion: "apps/v1",
  kind: "DaemonSet",
  metadata: { name: "ztunnel" },
  spec: { updateStrategy: { type: "RollingUpdate", rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } } },
};
const config: Manifest = { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "c" }, data: rule };

const CASES = [
  { minor: 30, losses: 0, changed: [] },
  { minor: 23, losses: 0, changed: [] },
  { minor: 22, losses: 1, changed: ["a.b"] },
  { minor: 20, losses: 2, changed: ["a.b", "ztunnel"] },
];
for (const { minor, losses, changed } of CASES)
  test(`fitToServer: 1.${minor}`, () => {
    const objects = [definition, daemonSet, config];
    const fitted = fitToServer([{ name: "Base", title: "", icon: "", objects }], minor);
    const got = fitted.components.flatMap((component) => component.objects);
    assert.equal(fitted.losses.length, losses);
    assert.deepEqual(
      got.filter((object, index) => object !== objects[index]).map(({ metadata }) => metadata.name),
      changed,
    );
  });

test("fitToServer: what is left of an object", () => {
  const [{ objects } = { objects: [] }] = fitToServer(
    [{ name: "Base", title: "", icon: "", objects: [definition, daemonSet] }],
    20,
  ).components;
  assert.deepEqual(objects[0]?.["spec"], {
    versions: [{ schema: { properties: { spec: { type: "object", items: [{}, 1] } } } }],
  });
  assert.deepEqual(objects[1]?.["spec"], {
    updateStrategy: { type: "RollingUpdate", rollingUpdate: { maxUnavailable: 1 } },
  });
});
