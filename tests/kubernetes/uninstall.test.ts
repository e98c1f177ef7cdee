/** The mesh goes: from the cluster and from the nodes, and pods that were in it run on. */

import assert from "node:assert/strict";
import { before, test } from "node:test";
import { eventually } from "@meltemi/testkit";
import { kubectl } from "./cluster/cluster.ts";
import { ensureMesh, helmUninstall, installMesh, mesh, nodeTraces, skip } from "./mesh.fixture.ts";
import { call, deployWorkloads, enrolledPods, joinMesh, podLives, SHOP } from "./workloads.fixture.ts";

before(async () => {
  if (skip !== false) return;
  await deployWorkloads();
  await ensureMesh();
  await joinMesh();
});

/** Removes the mesh under pods that are in it, and looks at what is left. */
async function uninstalled(remove: () => Promise<unknown>): Promise<void> {
  const lives = await podLives();
  assert.notDeepEqual(await nodeTraces(), []);
  await remove();
  assert.deepEqual(await nodeTraces(), []);
  assert.deepEqual(await podLives(), lives);
  assert.equal((await call("client")).status, 200);
}

test("helm uninstall leaves running pods that talk in plaintext, and clean nodes", { skip }, async () => {
  // Helm takes the agent's rights away before its pods have ended: the annotation may stay on pods, and nobody is left who reads it.
  await uninstalled(helmUninstall);
});

test("installed again by the mesh's own command, it finds the pods; uninstall --purge leaves nothing", {
  skip,
}, async () => {
  await installMesh();
  assert.match(await mesh("verify-install"), /istio-cni-node.* checked successfully/);
  await eventually(async () => (await enrolledPods()).length === 4, { deadlineMs: 60_000, everyMs: 200 });
  await uninstalled(() => mesh("uninstall", "--purge", "-y"));
  assert.deepEqual(await enrolledPods(), []);
  const kinds = "crd,clusterrole,clusterrolebinding,validatingwebhookconfiguration";
  assert.doesNotMatch(await kubectl("get", kinds, "-o", "name"), /istio|gateway\.networking|meltemi/);
  await kubectl("label", "namespace", SHOP, "istio.io/dataplane-mode-");
});
