import assert from "node:assert/strict";
import { test } from "node:test";
import { ObjectSet, readObject } from "../mesh-objects/object-set.ts";
import { HEALTH_ANALYZER } from "./mesh-health.ts";

type Fields = Readonly<Record<string, unknown>>;
const ready = { conditions: [{ type: "Ready", status: "True" }] };
const of = (app: string, nodeName: string, status: Fields = ready): Fields => ({
  kind: "Pod",
  metadata: { name: `${app}-${nodeName}`, namespace: "istio-system", labels: { app } },
  spec: { nodeName },
  status,
});
const captured: Fields = {
  kind: "Pod",
  metadata: { name: "p", namespace: "shop", annotations: { "ambient.istio.io/redirection": "enabled" } },
  spec: { nodeName: "b" },
  status: { phase: "Running" },
};
const namespace = {
  kind: "Namespace",
  metadata: { name: "shop", labels: { "istio.io/dataplane-mode": "ambient" } },
};
const istiod = (replicas: number): Fields => ({
  kind: "Deployment",
  metadata: { name: "istiod", namespace: "istio-system", labels: { app: "istiod" } },
  spec: { replicas },
});
const outside = { kind: "Service", metadata: { name: "istiod", namespace: "istio-system" }, spec: {} };

const cases = [
  { name: "healthy", objects: [captured, namespace, of("istiod", "a"), of("ztunnel", "b")], want: [] },
  {
    name: "a ztunnel elsewhere",
    objects: [captured, of("istiod", "a"), of("ztunnel", "a")],
    want: ["MLT0018"],
  },
  {
    name: "a ztunnel that is not ready",
    objects: [captured, of("istiod", "a"), of("ztunnel", "b", {})],
    want: ["MLT0018"],
  },
  { name: "the mesh's pods may not be listed", objects: [captured, namespace], want: [] },
  { name: "scaled to 0", objects: [namespace, of("ztunnel", "a"), istiod(0)], want: ["MLT0019"] },
  { name: "deleted", objects: [namespace, of("ztunnel", "a")], want: ["MLT0019"] },
  { name: "outside the cluster", objects: [namespace, of("ztunnel", "a"), outside], want: [] },
] as const;
for (const { name, objects, want } of cases) {
  test(`health: ${name}`, () => {
    const set = new ObjectSet(objects.flatMap((one) => readObject(one) ?? []));
    const context = { objects: set, rootNamespace: "istio-system", hasCluster: true };
    assert.deepEqual(
      [...HEALTH_ANALYZER.analyze(context)].map(({ type }) => type.code),
      want,
    );
    assert.deepEqual([...HEALTH_ANALYZER.analyze({ ...context, hasCluster: false })], []);
  });
}
