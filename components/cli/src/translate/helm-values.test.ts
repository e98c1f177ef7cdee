import assert from "node:assert/strict";
import { test } from "node:test";
import { helmValues } from "./helm-values.ts";

const CASES = [
  {
    name: "the default profile is two charts",
    spec: {},
    want: { base: {}, istiod: {} },
  },
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
        revision: "canary",
        env: { A: "1" },
        replicaCount: 2,
        telemetry: { enabled: true },
        meshConfig: { trustDomain: "td" },
      },
      cni: { revision: "canary", ambient: { enabled: true } },
      ztunnel: { revision: "canary", logLevel: "debug", meshConfig: { trustDomain: "td" } },
    },
  },
  { name: "nothing", spec: { profile: "empty" }, want: {} },
  {
    name: "what has no place is told",
    spec: {
      profile: "empty",
      addonComponents: {},
      components: { pilot: { k8s: { resources: {} } }, ingressGateways: [] },
      values: { mixer: {} },
    },
    want: {},
    problems: [
      /^addonComponents: /,
      /^values\.mixer: /,
      /^components\.pilot\.k8s: .* chart istiod/,
      /^components\.ingressGateways: there is no chart/,
    ],
  },
];
for (const { name, spec, want, problems = [], namespace } of CASES)
  test(`helm values: ${name}`, () => {
    const got = helmValues(spec);
    const values = Object.fromEntries(got.charts.map((one) => [one.chart, one.values]));
    assert.deepEqual(JSON.parse(JSON.stringify(values)), want);
    assert.equal(got.problems.length, problems.length, got.problems.join("\n"));
    for (const [index, problem] of problems.entries()) assert.match(got.problems[index] ?? "", problem);
    if (namespace !== undefined) for (const one of got.charts) assert.equal(one.namespace, namespace);
  });
