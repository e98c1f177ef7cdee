import assert from "node:assert/strict";
import { test } from "node:test";
import { choosePruned, decidePrune } from "./decide-prune.ts";

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
const webhook = (namespace: string): object => ({
  ...role("istiod-default-validator"),
  kind: "ValidatingWebhookConfiguration",
  webhooks: [{ clientConfig: { service: { name: "istiod", namespace } } }],
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
  { name: "the default webhook", object: webhook("istio-system"), want: true },
  { name: "the default webhook, led to another control plane", object: webhook("other"), want: false },
  { name: "the default webhook, led elsewhere", object: role("istiod-default-validator"), want: false },
  { name: "a namespace", object: { ...role("x-istio-system"), kind: "Namespace" }, want: false },
];
for (const { name, object, want } of CASES)
  test(`prune: ${name}`, () => {
    const installation = { revision: "", istioNamespace: "istio-system" };
    assert.equal(decidePrune(object as Parameters<typeof decidePrune>[0], installation), want);
  });

const CNI = { "operator.istio.io/component": "Cni" };
for (const { name, namespace, want } of [
  {
    name: "the node agent goes with its rights",
    namespace: "istio-system",
    want: ["istio-cni-node", "istio-cni"],
  },
  { name: "a node agent that stays keeps its rights", namespace: "kube-system", want: [] },
])
  test(`prune: ${name}`, () => {
    const labels = { ...LABELS, ...CNI };
    const agent = { kind: "DaemonSet", metadata: { name: "istio-cni-node", namespace, labels } };
    const gone = choosePruned([agent, role("istio-cni", CNI)] as Parameters<typeof choosePruned>[0], {
      revision: "",
      istioNamespace: "istio-system",
    });
    assert.deepEqual(
      gone.map(({ metadata }) => metadata?.name),
      want,
    );
  });
