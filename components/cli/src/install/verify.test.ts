import assert from "node:assert/strict";
import { test } from "node:test";
import type { Pod } from "@meltemi/kubernetes";
import { judgeNodes } from "./verify.ts";

const pod = (name: string, nodeName: string, metadata: object, isReady = true): Pod =>
  ({
    metadata: { name, ...metadata },
    spec: { nodeName, containers: [] },
    status: { phase: "Running", conditions: [{ type: "Ready", status: isReady ? "True" : "False" }] },
  }) as Pod;
const captured = { annotations: { "ambient.istio.io/redirection": "enabled" } };
const ztunnel = { labels: { app: "ztunnel" } };

const cases = [
  { name: "served", pods: [pod("a", "n1", captured), pod("z", "n1", ztunnel)], want: [] },
  { name: "nobody captured", pods: [pod("a", "n1", {})], want: [] },
  {
    name: "none there",
    pods: [pod("a", "n2", captured), pod("b", "n2", captured), pod("z", "n1", ztunnel)],
    want: ["Node n2: no ready ztunnel on it, and 2 captured pods whose connections fail"],
  },
  {
    name: "not ready",
    pods: [pod("a", "n1", captured), pod("z", "n1", ztunnel, false)],
    want: ["Node n1: no ready ztunnel on it, and 1 captured pod whose connections fail"],
  },
];
for (const { name, pods, want } of cases) {
  test(`nodes with captured pods: ${name}`, () => {
    assert.deepEqual(
      judgeNodes(pods).map(({ object, problem }) => `${object}: ${problem}`),
      want,
    );
  });
}
