/** The cluster itself, before there is a mesh on it: what the other files stand on. */

import assert from "node:assert/strict";
import { before, test } from "node:test";
import { eventually } from "@meltemi/testkit";
import { apply, kubectl } from "./cluster/cluster.ts";
import { KUBERNETES_VERSION } from "./cluster/versions.ts";
import { skip } from "./mesh.fixture.ts";
import { call, deployWorkloads } from "./workloads.fixture.ts";

before(async () => {
  if (skip === false) await deployWorkloads();
});

test("the API server and both kubelets are what was built", { skip }, async () => {
  const { serverVersion } = JSON.parse(await kubectl("version", "-o", "json"));
  assert.equal(serverVersion.gitVersion, `v${KUBERNETES_VERSION}`);
  const { items } = JSON.parse(await kubectl("get", "nodes", "-o", "json"));
  assert.deepEqual(
    items.map(
      (node: { status: { nodeInfo: { kubeletVersion: string; containerRuntimeVersion: string } } }) => [
        node.status.nodeInfo.kubeletVersion,
        node.status.nodeInfo.containerRuntimeVersion.split(":")[0],
      ],
    ),
    [
      [`v${KUBERNETES_VERSION}`, "containerd"],
      [`v${KUBERNETES_VERSION}`, "containerd"],
    ],
  );
});

test("names resolve, and a ClusterIP reaches pods on both nodes", { skip }, async () => {
  const versions = new Set<string>();
  // Nodes hear of a Service's endpoints one after the other.
  await eventually(
    async () => {
      const { status, version } = await call("client");
      if (status === 200) versions.add(version);
      return versions.size === 2;
    },
    { deadlineMs: 30_000, everyMs: 50 },
  );
  assert.deepEqual([...versions].sort(), ["v1", "v2"]);
});

test("a definition may have an empty string as its default", { skip }, async () => {
  const text = { type: "string", default: "" };
  const openAPIV3Schema = { type: "object", properties: { spec: { type: "object", properties: { text } } } };
  await apply([
    {
      apiVersion: "apiextensions.k8s.io/v1",
      kind: "CustomResourceDefinition",
      metadata: { name: "probes.test.meltemi.io" },
      spec: {
        group: "test.meltemi.io",
        names: { kind: "Probe", plural: "probes" },
        scope: "Namespaced",
        versions: [{ name: "v1", served: true, storage: true, schema: { openAPIV3Schema } }],
      },
    },
  ]);
  await kubectl("wait", "--for=condition=Established", "crd/probes.test.meltemi.io", "--timeout=30s");
  await kubectl("delete", "crd", "probes.test.meltemi.io");
});
