import assert from "node:assert/strict";
import { test } from "node:test";
import { decidePrune } from "./decide-prune.ts";

const LABELS = {
  "install.operator.istio.io/owning-resource": "installed-state",
  "istio.io/rev": "default",
};
const service = (labels: object, more: object = {}): object => ({
  kind: "Service",
  metadata: { name: "istiod", namespace: "istio-system", labels: { ...LABELS, ...labels }, ...more },
});
const role = (name: string, labels: object = {}): object => ({
  kind: "ClusterRole",
  metadata: { name, labels: { ...LABELS, ...labels } },
});
const CASES = [
  { name: "ours", object: service({}), want: true },
  { name: "ours of the cluster", object: role("istiod-clusterrole-istio-system"), want: true },
  {
    name: "the node agent's",
    object: role("istio-cni", { "operator.istio.io/component": "Cni" }),
    want: true,
  },
  { name: "another installation's", object: role("istiod-clusterrole-other"), want: false },
  { name: "another revision's", object: service({ "istio.io/rev": "canary" }), want: false },
  { name: "in another namespace", object: service({}, { namespace: "other" }), want: false },
  { name: "helm's", object: service({ "app.kubernetes.io/managed-by": "Helm" }), want: false },
  {
    name: "helm's by annotation",
    object: service({}, { annotations: { "meta.helm.sh/release-name": "istiod" } }),
    want: false,
  },
  {
    name: "nobody's",
    object: service({ "install.operator.istio.io/owning-resource": "x" }),
    want: false,
  },
  {
    name: "a definition",
    object: { ...role("gateways.networking.istio.io"), kind: "CustomResourceDefinition" },
    want: false,
  },
  { name: "a namespace", object: { ...role("x-istio-system"), kind: "Namespace" }, want: false },
];
for (const { name, object, want } of CASES)
  test(`prune: ${name}`, () => {
    const installation = { revision: "", istioNamespace: "istio-system" };
    assert.equal(decidePrune(object as Parameters<typeof decidePrune>[0], installation), want);
  });
