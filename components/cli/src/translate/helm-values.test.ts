import assert from "node:assert/strict";
import { test } from "node:test";
import { readInstallValues, type Tree } from "../manifests/values.ts";
import { helmValues, type Translation } from "./helm-values.ts";

function translate(spec: Tree): Translation {
  const read = readInstallValues([spec]);
  assert.equal(read.kind, "ok", JSON.stringify(read));
  if (read.kind !== "ok") throw new Error("unreachable");
  return helmValues([spec], read.values);
}

const system = { global: { istioNamespace: "istio-system" } };
const overlays = [{ kind: "Deployment", name: "istiod", patches: [{ path: "spec.paused", value: true }] }];

const CASES = [
  { name: "the default profile is two charts", spec: {}, want: { base: system, istiod: system } },
  {
    name: "the ambient profile, with an image and a namespace",
    spec: {
      profile: "ambient",
      hub: "registry.example",
      tag: "1.2.3",
      values: { global: { istioNamespace: "mesh", network: "n1" } },
    },
    namespace: "mesh",
    want: Object.fromEntries(
      ["base", "istiod", "cni", "ztunnel"].map((chart) => [
        chart,
        {
          profile: "ambient",
          global: { hub: "registry.example", tag: "1.2.3", istioNamespace: "mesh", network: "n1" },
        },
      ]),
    ),
  },
  {
    name: "each component's values become its chart's own",
    spec: {
      revision: "canary",
      meshConfig: { trustDomain: "td" },
      components: { base: { enabled: false }, cni: { enabled: true }, ztunnel: { enabled: true } },
      values: {
        pilot: { env: { A: "1" }, replicaCount: 2 },
        cni: { ambient: { enabled: true } },
        ztunnel: { logLevel: "debug" },
        telemetry: { enabled: true },
      },
    },
    want: {
      istiod: {
        ...system,
        revision: "canary",
        env: { A: "1" },
        replicaCount: 2,
        telemetry: { enabled: true },
        meshConfig: { trustDomain: "td" },
      },
      cni: { ...system, revision: "canary", ambient: { enabled: true } },
      ztunnel: { ...system, revision: "canary", logLevel: "debug", meshConfig: { trustDomain: "td" } },
    },
  },
  {
    name: "a profile of OpenShift is a platform, settings of components are values",
    spec: {
      profile: "openshift-ambient",
      components: {
        base: { enabled: false },
        cni: { enabled: false },
        ztunnel: { enabled: false },
        pilot: { k8s: { replicaCount: 2 } },
      },
    },
    want: {
      istiod: {
        profile: "ambient",
        global: { istioNamespace: "istio-system", platform: "openshift" },
        trustedZtunnelNamespace: "kube-system",
        replicaCount: 2,
        autoscaleEnabled: false,
      },
    },
  },
  { name: "nothing", spec: { profile: "empty" }, want: {} },
  {
    name: "what has no place is told",
    spec: { components: { base: { enabled: false }, pilot: { k8s: { overlays } } } },
    want: { istiod: system },
    problems: [/^components\.pilot\.k8s\.overlays: .* chart istiod .*--post-renderer/],
  },
];
for (const { name, spec, want, problems = [], namespace } of CASES)
  test(`helm values: ${name}`, () => {
    const got = translate(spec);
    const values = Object.fromEntries(got.charts.map((one) => [one.chart, one.values]));
    assert.deepEqual(JSON.parse(JSON.stringify(values)), want);
    assert.equal(got.problems.length, problems.length, got.problems.join("\n"));
    for (const [index, problem] of problems.entries()) assert.match(got.problems[index] ?? "", problem);
    if (namespace !== undefined) for (const one of got.charts) assert.equal(one.namespace, namespace);
  });

test("a revision is a release of its own, of istiod alone", () => {
  const { charts } = translate({ profile: "ambient", revision: "canary" });
  assert.deepEqual(
    charts.map(({ release }) => release),
    ["istio-base", "istiod-canary", "istio-cni", "ztunnel"],
  );
});
