/** Capture by nftables, as on kernels that lack what eBPF needs; and the change from one kind to the other under running pods. */

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, test } from "node:test";
import { eventually } from "@meltemi/testkit";
import { apply, kubectl } from "./cluster/cluster.ts";
import { runOn } from "./cluster/machine.ts";
import { nodeNetwork } from "./cluster/network.ts";
import { ensureMesh, helmInstall, skip } from "./mesh.fixture.ts";
import {
  call,
  deployWorkloads,
  joinMesh,
  leaveMesh,
  onTheWire,
  podLives,
  SHOP,
} from "./workloads.fixture.ts";

const CHANGE = { deadlineMs: 60_000, everyMs: 250 } as const;

before(async () => {
  if (skip !== false) return;
  await deployWorkloads();
  await ensureMesh();
  await joinMesh();
});

after(async () => {
  if (skip !== false) return;
  await kubectl("delete", "peerauthentications", "--all", "-n", SHOP);
  await helmInstall();
  await leaveMesh();
});

/** Whether a word that a pod says to the other node can be read on the way. */
async function isReadable(): Promise<boolean> {
  const word = randomUUID();
  const seen = await onTheWire(nodeNetwork(2), async () => {
    const { status, text } = await call("client", `http://web-v2.${SHOP}/`, { "x-word": word });
    assert.equal(status, 200, text);
  });
  return seen.includes(word);
}

/**
 * Rules of the mesh in all namespaces of a node's pods, and attached programs. Empty chains of pods that are released stay with their
 * connections, which the kernel would not translate any more without them.
 */
async function captureOf(node: string): Promise<{ readonly rules: number; readonly programs: number }> {
  const each = 'for netns in /run/netns/*; do nsenter --net="$netns" nft list ruleset; done';
  const rules = (await runOn(node, "/bin/sh", "-c", each)).match(/redirect to :150/g)?.length ?? 0;
  const programs = (await runOn(node, "bpftool", "cgroup", "tree")).match(/^\d+ /gm)?.length ?? 0;
  return { rules, programs };
}

test("pods change from eBPF to nftables as they run", { skip }, async () => {
  const lives = await podLives();
  const first = await captureOf("node1");
  assert.deepEqual([first.rules, first.programs > 0], [0, true]);
  await helmInstall(undefined, { cni: ["global.nativeNftables=true"] });
  await eventually(async () => {
    const now = await captureOf("node1");
    assert.deepEqual([now.rules > 0, now.programs], [true, 0]);
    return true;
  }, CHANGE);
  await eventually(async () => (await call("client")).status === 200, CHANGE);
  assert.equal(await isReadable(), false);
  assert.deepEqual(await podLives(), lives);
});

test("by nftables too, STRICT refuses plaintext and the kubelet's probes pass", { skip }, async () => {
  const lives = await podLives();
  await apply([
    {
      apiVersion: "security.istio.io/v1",
      kind: "PeerAuthentication",
      metadata: { name: "default", namespace: SHOP },
      spec: { mtls: { mode: "STRICT" } },
    },
  ]);
  await eventually(async () => (await call("outsider")).status === 0, CHANGE);
  assert.equal((await call("client")).status, 200);
  await kubectl("wait", "--for=condition=Ready", "pod", "-l", "app=web", "-n", SHOP, "--timeout=20s");
  assert.deepEqual(await podLives(), lives);
});

test("and back, and no rule of nftables is left", { skip }, async () => {
  const lives = await podLives();
  await helmInstall();
  await eventually(async () => {
    const now = await captureOf("node1");
    assert.deepEqual([now.rules, now.programs > 0], [0, true]);
    return true;
  }, CHANGE);
  await eventually(async () => (await call("client")).status === 200, CHANGE);
  assert.equal(await isReadable(), false);
  assert.deepEqual(await podLives(), lives);
});
