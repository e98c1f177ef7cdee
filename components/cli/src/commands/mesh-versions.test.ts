import assert from "node:assert/strict";
import { test } from "node:test";
import type { Pod } from "@meltemi/kubernetes";
import { renderVersions, reportVersions } from "./mesh-versions.ts";

const pod = (name: string, image: string, phase = "Running"): Pod => ({
  metadata: { name, namespace: "istio-system" },
  spec: { containers: [{ name: "c", image }] },
  status: { phase },
});
const istiod = pod("istiod-a", "docker.io/meltemi/pilot:0.1.0");
const ztunnel = (name: string, tag: string, phase?: string): Pod =>
  pod(name, `localhost:5000/ztunnel:${tag}`, phase);

const CASES = [
  { name: "no cluster", mesh: undefined, want: ["client version: 1"] },
  {
    name: "no mesh",
    mesh: { controlPlane: [], proxies: [] },
    want: ["client version: 1", "Istio is not present in the cluster"],
  },
  {
    name: "a mesh",
    mesh: { controlPlane: [istiod, istiod], proxies: [ztunnel("a", "0.1.0"), ztunnel("b", "0.1.0")] },
    want: ["client version: 1", "control plane version: 0.1.0", "data plane version: 0.1.0 (2 proxies)"],
  },
  {
    name: "an upgrade under way",
    mesh: {
      controlPlane: [istiod],
      proxies: [ztunnel("a", "0.2.0-distroless"), ztunnel("b", "0.1.0"), ztunnel("c", "9", "Pending")],
    },
    want: [
      "client version: 1",
      "control plane version: 0.1.0",
      "data plane version: 0.1.0 (1 proxy), 0.2.0-distroless (1 proxy)",
    ],
  },
  {
    name: "an image by digest",
    mesh: { controlPlane: [pod("i", "x/pilot@sha256:00")], proxies: [] },
    want: ["client version: 1", "control plane version: unknown", "data plane version: none"],
  },
];
for (const { name, mesh, want } of CASES)
  test(`versions: ${name}`, () => assert.deepEqual(renderVersions(reportVersions("1", mesh)), want));

test("the report for programs names each proxy", () => {
  const { dataPlaneVersion } = reportVersions("1", { controlPlane: [], proxies: [ztunnel("a", "2")] });
  assert.deepEqual(dataPlaneVersion, [{ ID: "a.istio-system", IstioVersion: "2" }]);
});
