import assert from "node:assert/strict";
import { test } from "node:test";
import { readinessOf } from "./readiness.ts";

const deployment = (status: object, generation = 1): object => ({
  kind: "Deployment",
  metadata: { generation },
  spec: { replicas: 2 },
  status,
});
const daemonSet = (status: object): object => ({ kind: "DaemonSet", metadata: { generation: 1 }, status });

const cases = [
  {
    name: "deployment with all pods of the new template ready",
    object: deployment({ observedGeneration: 1, readyReplicas: 2, updatedReplicas: 2 }),
    want: "ready",
  },
  {
    name: "old pods still count as ready",
    object: deployment({ observedGeneration: 1, readyReplicas: 2, updatedReplicas: 1 }),
    want: "1 of 2 pods ready",
  },
  {
    name: "the controller has not seen the change",
    object: deployment({ observedGeneration: 1, readyReplicas: 2, updatedReplicas: 2 }, 2),
    want: "its controller",
  },
  {
    name: "scaled to nothing",
    object: {
      kind: "Deployment",
      metadata: { name: "istiod", namespace: "istio-system", generation: 2 },
      spec: { replicas: 0 },
      status: { observedGeneration: 2 },
    },
    want: "scaled to 0: kubectl scale deployment/istiod -n istio-system --replicas=1",
  },
  { name: "no status yet", object: deployment({}), want: "its controller" },
  {
    name: "daemon set no node wants yet",
    object: daemonSet({ observedGeneration: 1, desiredNumberScheduled: 0 }),
    want: "a node to run on",
  },
  {
    name: "daemon set on all nodes",
    object: daemonSet({
      observedGeneration: 1,
      desiredNumberScheduled: 2,
      numberReady: 2,
      updatedNumberScheduled: 2,
    }),
    want: "ready",
  },
  {
    name: "definition not served yet",
    object: {
      kind: "CustomResourceDefinition",
      status: { conditions: [{ type: "Established", status: "False" }] },
    },
    want: "the API server to serve it",
  },
  {
    name: "definition served",
    object: {
      kind: "CustomResourceDefinition",
      status: { conditions: [{ type: "Established", status: "True" }] },
    },
    want: "ready",
  },
  { name: "anything else", object: { kind: "ConfigMap" }, want: "ready" },
  { name: "not an object", object: null, want: "ready" },
] as const;
for (const row of cases) {
  test(`readiness: ${row.name}`, () => {
    const got = readinessOf(row.object);
    assert.equal(got.kind === "ready" ? "ready" : got.kind === "stopped" ? got.why : got.for, row.want);
  });
}
