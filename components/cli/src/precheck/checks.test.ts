import assert from "node:assert/strict";
import { test } from "node:test";
import { type PrecheckFacts, precheck } from "./checks.ts";

const GOOD: PrecheckFacts = {
  version: { major: "1", minor: "32+", gitVersion: "v1.32.4" },
  forbidden: [],
  nodes: [{ metadata: { name: "n" }, status: { nodeInfo: { kernelVersion: "6.1.0-13-amd64" } } }],
  definitions: [definition("v1.4.0")],
};

function definition(version: string) {
  return {
    metadata: {
      name: "httproutes.gateway.networking.k8s.io",
      annotations: { "gateway.networking.k8s.io/bundle-version": version },
    },
    spec: { versions: [{ name: "v1" }] },
  };
}

const cases: readonly { name: string; facts: Partial<PrecheckFacts>; want: readonly string[] }[] = [
  { name: "a cluster that is ready", facts: {}, want: [] },
  { name: "nothing known", facts: { version: {}, nodes: [{}], definitions: [{}] }, want: [] },
  { name: "old Kubernetes", facts: { version: { major: "1", minor: "27" } }, want: ["IST0142"] },
  {
    name: "an old kernel",
    facts: { nodes: [{ status: { nodeInfo: { kernelVersion: "4.18.0" } } }] },
    want: ["MLT0014"],
  },
  { name: "an old Gateway API", facts: { definitions: [definition("v0.8.1")] }, want: ["IST0156"] },
  { name: "no permission", facts: { forbidden: ["create namespaces"] }, want: ["IST0141"] },
];
for (const { name, facts, want } of cases)
  test(`precheck: ${name}`, () =>
    assert.deepEqual(
      precheck({ ...GOOD, ...facts }).map(({ code }) => code),
      want,
    ));
