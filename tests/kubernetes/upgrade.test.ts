/** A new version while requests go on. */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { kubectl } from "./cluster/cluster.ts";
import { ensureMesh, helmInstall, NEXT_VERSION, provideImage, skip, VERSION } from "./mesh.fixture.ts";
import { deployWorkloads, joinMesh, Load, type LoadCount, leaveMesh, podLives } from "./workloads.fixture.ts";

before(async () => {
  if (skip !== false) return;
  await deployWorkloads();
  await ensureMesh();
  await provideImage(NEXT_VERSION);
  await joinMesh();
});

after(async () => {
  if (skip !== false) return;
  await leaveMesh();
  await helmInstall(VERSION);
});

async function rolledOut(): Promise<void> {
  for (const what of ["deployment/istiod", "daemonset/istio-cni-node", "daemonset/ztunnel"])
    await kubectl("rollout", "status", what, "-n", "istio-system", "--timeout=180s");
}

test("every part is replaced under load; pods live on", { skip }, async (context) => {
  const lives = await podLives();
  const load = await Load.start();
  await helmInstall(NEXT_VERSION);
  await rolledOut();
  const count: LoadCount = await load.finish();
  context.diagnostic(`under the upgrade: ${JSON.stringify(count)}`);
  assert.deepEqual(await podLives(), lives);
  const images = await kubectl(
    "get",
    "pods",
    "-n",
    "istio-system",
    "-o",
    "jsonpath={.items[*].spec.containers[*].image}",
  );
  assert.ok(images.includes(`:${NEXT_VERSION}`) && !images.includes(`:${VERSION}`), images);
  // Kubernetes 1.20 stops a node's proxy before it starts the next; what is between is lost, and no more than that.
  const isOfTheGap = (why: string): boolean =>
    /ECONNREFUSED|ECONNRESET|TIMEOUT|socket hang up|EAI_AGAIN/.test(why);
  assert.deepEqual(
    Object.keys(count.why).filter((why) => !isOfTheGap(why)),
    [],
  );
  assert.ok(count.asked - count.failed > 20);
});

test("afterwards, nothing is lost any more", { skip }, async () => {
  const load = await Load.start();
  await new Promise((resolve) => setTimeout(resolve, 3_000));
  const { failed, kept } = await load.finish();
  assert.deepEqual({ failed, kept }, { failed: 0, kept: "open" });
});
