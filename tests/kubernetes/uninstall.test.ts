/** The mesh goes: from the cluster and from the nodes, and pods that were in it run on. */

import assert from "node:assert/strict";
import { before, test } from "node:test";
import { kubectl } from "./cluster/cluster.ts";
import { ensureMesh, mesh, nodeTraces, skip } from "./mesh.fixture.ts";
import { call, deployWorkloads, enrolledPods, joinMesh, podLives, SHOP } from "./workloads.fixture.ts";

before(async () => {
  if (skip !== false) return;
  await deployWorkloads();
  await ensureMesh();
  await joinMesh();
});

test("uninstall leaves running pods that talk in plaintext, and clean nodes", { skip }, async () => {
  const lives = await podLives();
  assert.notDeepEqual(await nodeTraces(), []);
  const said = await mesh("uninstall", "--purge", "-y");
  assert.match(said, /✔ Uninstall complete/);
  assert.deepEqual(await nodeTraces(), []);
  assert.deepEqual(await enrolledPods(), []);
  assert.deepEqual(await podLives(), lives);
  assert.equal((await call("client")).status, 200);
  const left = await kubectl(
    "get",
    "crd,clusterrole,clusterrolebinding,validatingwebhookconfiguration",
    "-o",
    "name",
  );
  assert.doesNotMatch(left, /istio|gateway\.networking|meltemi/);
  await kubectl("label", "namespace", SHOP, "istio.io/dataplane-mode-");
});
