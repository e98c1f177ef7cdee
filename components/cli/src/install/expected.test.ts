import assert from "node:assert/strict";
import { test } from "node:test";
import type { KubernetesObject } from "@meltemi/kubernetes";
import { missingWorkloads } from "./expected.ts";

function part(
  kind: string,
  name: string,
  component: string,
  { namespace = "istio-system", revision = "default" } = {},
): KubernetesObject {
  const labels = { "operator.istio.io/component": component, "istio.io/rev": revision };
  return { kind, metadata: { name, labels, ...(namespace !== "" && { namespace }) } };
}

const istiod = [part("ServiceAccount", "istiod", "Pilot"), part("ConfigMap", "istio", "Pilot")];
const nodes = [part("ServiceAccount", "istio-cni", "Cni"), part("ServiceAccount", "ztunnel", "Ztunnel")];
const workloads = [
  part("Deployment", "istiod", "Pilot"),
  part("DaemonSet", "istio-cni-node", "Cni"),
  part("DaemonSet", "ztunnel", "Ztunnel"),
];
const canary = { revision: "canary" };

const cases = [
  { name: "all there", objects: [...istiod, ...nodes, ...workloads], want: [] },
  { name: "nothing installed", objects: [], want: [] },
  {
    name: "kinds alone are an installation without components",
    objects: [part("CustomResourceDefinition", "x", "Base", { namespace: "" })],
    want: [],
  },
  {
    name: "every workload deleted",
    objects: [...istiod, ...nodes],
    want: [
      "Deployment istio-system/istiod",
      "DaemonSet istio-system/istio-cni-node",
      "DaemonSet istio-system/ztunnel",
    ],
  },
  {
    name: "another revision's control plane is not this one's",
    objects: [...istiod, ...workloads, part("ServiceAccount", "istiod-canary", "Pilot", canary)],
    want: ["Deployment istio-system/istiod-canary"],
  },
  {
    name: "the whole namespace deleted",
    objects: [part("ClusterRole", "istiod-clusterrole-istio-system", "Pilot", { namespace: "" })],
    want: ["Deployment undefined/istiod"],
  },
  {
    name: "a namespace is learnt from what has one",
    objects: [part("ClusterRole", "istio-cni", "Cni", { namespace: "" }), ...nodes.slice(0, 1)],
    want: ["DaemonSet istio-system/istio-cni-node"],
  },
  {
    name: "a tag's webhook alone expects nothing",
    objects: [part("MutatingWebhookConfiguration", "istio-revision-tag-x", "Pilot", { namespace: "" })],
    want: [],
  },
  {
    name: "node parts of another revision",
    objects: [...nodes, ...workloads.slice(1, 2), part("DaemonSet", "ztunnel", "Ztunnel", canary)],
    want: [],
  },
] as const;
for (const row of cases) {
  test(`expected workloads: ${row.name}`, () => {
    const got = missingWorkloads(row.objects).map((one) => `${one.kind} ${one.namespace}/${one.name}`);
    assert.deepEqual(got, row.want);
  });
}
