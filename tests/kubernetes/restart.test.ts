/** What goes wrong on nodes: processes of the mesh that are killed, a network configuration that is written over, a power cut. */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { eventually } from "@meltemi/testkit";
import { openCache } from "./cluster/cache.ts";
import { kubectl, restartNode } from "./cluster/cluster.ts";
import { runOn } from "./cluster/machine.ts";
import { CNI_FILE } from "./cluster/node-plan.ts";
import { ensureMesh, skip } from "./mesh.fixture.ts";
import {
  call,
  deployWorkloads,
  enrolledPods,
  joinMesh,
  Load,
  leaveMesh,
  podLives,
  SHOP,
} from "./workloads.fixture.ts";

const RECOVERY = { deadlineMs: 120_000, everyMs: 500 } as const;

before(async () => {
  if (skip !== false) return;
  await deployWorkloads();
  await ensureMesh();
  await joinMesh();
});

after(async () => {
  if (skip === false) await leaveMesh();
});

interface MeshPod {
  readonly name: string;
  readonly containerId: string;
  readonly restarts: number;
  readonly ready: boolean;
}

async function meshPod(label: string, node: string): Promise<MeshPod> {
  const where = ["-n", "istio-system", "-l", label, "--field-selector", `spec.nodeName=${node}`];
  const { items } = JSON.parse(await kubectl("get", "pods", ...where, "-o", "json"));
  const [{ metadata, status }] = items;
  const [{ containerID, restartCount, ready }] = status.containerStatuses;
  return {
    name: metadata.name,
    containerId: containerID.replace("containerd://", ""),
    restarts: restartCount,
    ready,
  };
}

/** As a crash: no signal that a program could answer. */
async function killContainer(label: string, node: string): Promise<void> {
  const { containerId, restarts } = await meshPod(label, node);
  await runOn(node, "ctr", "-n", "k8s.io", "tasks", "kill", "--signal", "SIGKILL", containerId);
  await eventually(async () => {
    const now = await meshPod(label, node);
    return now.restarts > restarts && now.ready;
  }, RECOVERY);
}

test("the agent is killed: connections live, and a new pod waits for the next agent", { skip }, async () => {
  const lives = await podLives();
  const load = await Load.start();
  await killContainer("k8s-app=istio-cni-node", "node1");
  const { failed, asked, kept } = await load.finish();
  assert.equal(failed, 0);
  assert.ok(asked > 10);
  assert.equal(kept, "open");
  assert.deepEqual(await podLives(), lives);
});

test("ztunnel is killed: its pods are served again as soon as it is back, and none restarts", {
  skip,
}, async () => {
  const lives = await podLives();
  await killContainer("app=ztunnel", "node2");
  await eventually(async () => (await call("stranger")).status === 200, RECOVERY);
  await eventually(async () => (await call("client", `http://web-v2.${SHOP}/`)).status === 200, RECOVERY);
  assert.deepEqual(await podLives(), lives);
});

test("somebody writes the node's network configuration anew: the plugin is back in it", {
  skip,
}, async () => {
  const read = (): Promise<string> => runOn("node1", "cat", CNI_FILE);
  const types = async (): Promise<readonly string[]> =>
    JSON.parse(await read()).plugins.map(({ type }: { type: string }) => type);
  const before = await types();
  const original = JSON.parse(await read());
  const plain = {
    ...original,
    plugins: original.plugins.filter(({ type }: { type: string }) => type !== "istio-cni"),
  };
  await runOn("node1", "/bin/sh", "-c", `printf '%s' '${JSON.stringify(plain)}' >${CNI_FILE}`);
  await eventually(async () => (await types()).join() === before.join(), RECOVERY);
});

test("a node loses its power: its pods come back, in the mesh", { skip }, async () => {
  const before = await enrolledPods();
  await restartNode(openCache(), "node2");
  const restarts = (lives: Readonly<Record<string, string>>): number =>
    Object.values(lives).filter((life) => !life.endsWith(" 0")).length;
  await eventually(async () => restarts(await podLives()) === 2, RECOVERY);
  await kubectl("wait", "--for=condition=Ready", "pod", "--all", "-n", SHOP, "--timeout=120s");
  assert.deepEqual(await enrolledPods(), before);
  await eventually(async () => (await call("client", `http://web-v2.${SHOP}/`)).status === 200, RECOVERY);
  await eventually(async () => (await call("stranger", `http://web-v1.${SHOP}/`)).status === 200, RECOVERY);
  const logs = await kubectl("logs", "-n", "istio-system", "-l", "app=ztunnel", "--tail=400");
  const line = logs
    .split("\n")
    .findLast((each) => /src.workload="stranger".*dst.workload="web-v1/.test(each));
  assert.match(line ?? "", new RegExp(`src.identity="spiffe://cluster.local/ns/${SHOP}/sa/stranger"`));
});
