/** What nodes are like in the world: one plugin without a list, a network plugin that owns its file, nodes that are tainted until they are ready. */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { eventually } from "@meltemi/testkit";
import { openCache } from "./cluster/cache.ts";
import { apply, kubectl, restartNode } from "./cluster/cluster.ts";
import { TOOLS_IMAGE } from "./cluster/images.ts";
import { runOn } from "./cluster/machine.ts";
import { CNI_FILE } from "./cluster/node-plan.ts";
import { ensureMesh, helmInstall, skip } from "./mesh.fixture.ts";
import { deployWorkloads, enrolledPods, joinMesh, leaveMesh, SHOP } from "./workloads.fixture.ts";

const CHANGE = { deadlineMs: 120_000, everyMs: 250 } as const;
const FOLDER = "/etc/cni/net.d";
const TAINT = "cni.istio.io/not-ready";

before(async () => {
  if (skip !== false) return;
  await deployWorkloads();
  await ensureMesh();
  await joinMesh();
});

after(async () => {
  if (skip !== false) return;
  await helmInstall();
  await leaveMesh();
});

/** Names of the network's files on a node, and the types of plugins in each. */
async function configuration(node: string): Promise<Readonly<Record<string, readonly string[]>>> {
  const names = (await runOn(node, "ls", FOLDER)).trim().split("\n");
  const entries = names.map(async (name) => {
    const { plugins, type } = JSON.parse(await runOn(node, "cat", `${FOLDER}/${name}`));
    return [name, plugins?.map((plugin: { type: string }) => plugin.type) ?? [type]] as const;
  });
  return Object.fromEntries(await Promise.all(entries));
}

async function write(node: string, path: string, document: object): Promise<void> {
  await runOn(node, "/bin/sh", "-c", `printf '%s' '${JSON.stringify(document)}' >${path}`);
}

/** A new pod on the node; resolves when it is in the mesh. */
async function startPod(name: string, node: string): Promise<void> {
  const container = { name: "main", image: TOOLS_IMAGE, imagePullPolicy: "IfNotPresent" };
  await apply([
    {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name, namespace: SHOP },
      spec: {
        nodeName: node,
        terminationGracePeriodSeconds: 1,
        containers: [{ ...container, command: ["sleep", "infinity"] }],
      },
    },
  ]);
  await eventually(async () => (await enrolledPods()).includes(name), CHANGE);
  // A pod that is deleted while it starts takes the kubelet of 1.20 minutes.
  await kubectl("wait", "--for=condition=Ready", `pod/${name}`, "-n", SHOP, "--timeout=60s");
  await kubectl("delete", "pod", name, "-n", SHOP);
}

test("one plugin alone becomes a list with ours, and pods start in the mesh", { skip }, async () => {
  const { plugins, ...outer } = JSON.parse(await runOn("node1", "cat", CNI_FILE));
  await write("node1", `${FOLDER}/10-pods.conf`, { ...outer, ...plugins[0] });
  await runOn("node1", "rm", CNI_FILE);
  await eventually(
    async () => JSON.stringify(await configuration("node1")) === '{"10-pods.conflist":["ptp","istio-cni"]}',
    CHANGE,
  );
  await startPod("of-a-single-plugin", "node1");
  await write("node1", CNI_FILE, {
    ...outer,
    plugins: plugins.filter(({ type }: { type: string }) => type !== "istio-cni"),
  });
  await eventually(
    async () => (await configuration("node1"))["10-pods.conflist"]?.join() === "ptp,portmap,istio-cni",
    CHANGE,
  );
});

test("a list of the mesh's own stands before the network's, also after a power cut", { skip }, async () => {
  await helmInstall(undefined, { cni: ["istioOwnedCNIConfig=true"] });
  const wanted = {
    "02-istio-cni.conflist": ["ptp", "portmap", "istio-cni"],
    "10-pods.conflist": ["ptp", "portmap"],
  };
  await eventually(async () => {
    assert.deepEqual(await configuration("node1"), wanted);
    return true;
  }, CHANGE);
  const before = await enrolledPods();
  await restartNode(openCache(), "node1");
  // As network plugins do when they start.
  await write("node1", CNI_FILE, JSON.parse(await runOn("node1", "cat", CNI_FILE)));
  await eventually(
    async () =>
      (await kubectl("get", "pods", "-n", SHOP, "-o", "name", "--field-selector=spec.nodeName=node1"))
        .length > 0,
    CHANGE,
  );
  await kubectl("wait", "--for=condition=Ready", "node/node1", "--timeout=120s");
  await kubectl("wait", "--for=condition=Ready", "pod", "--all", "-n", SHOP, "--timeout=120s");
  assert.deepEqual(await enrolledPods(), before);
  assert.deepEqual(await configuration("node1"), wanted);
  await helmInstall();
  await eventually(async () => {
    assert.deepEqual(await configuration("node1"), { "10-pods.conflist": ["ptp", "portmap", "istio-cni"] });
    return true;
  }, CHANGE);
});

test("a node that is tainted until its agent is ready is given free", { skip }, async () => {
  await helmInstall(undefined, { istiod: ["taint.enabled=true"] });
  await kubectl("taint", "node", "node2", `${TAINT}=:NoSchedule`, "dedicated=test:PreferNoSchedule");
  const taints = (): Promise<string> =>
    kubectl("get", "node", "node2", "-o", "jsonpath={.spec.taints[*].key}");
  await eventually(async () => (await taints()) === "dedicated", CHANGE);
  await kubectl("taint", "node", "node2", "dedicated-");
});
