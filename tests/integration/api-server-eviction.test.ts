/** The eviction subresource, which `kubectl drain` uses: what a PodDisruptionBudget allows, and no more. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { startTestCluster } from "./api-server.fixture.ts";

const cluster = await startTestCluster();
const { kubectl, feed, run } = cluster;
after(() => cluster.close());

const BUDGET =
  "{apiVersion: policy/v1, kind: PodDisruptionBudget, metadata: {name: NAME}, spec: {minAvailable: 1, selector: {matchLabels: {app: web}}}}";
const STATUS =
  '{"status":{"disruptionsAllowed":1,"currentHealthy":2,"desiredHealthy":1,"expectedPods":2,"observedGeneration":1}}';
const READY = '{"status":{"phase":"Running","conditions":[{"type":"Ready","status":"True"}]}}';

before(async () => {
  await kubectl("create", "serviceaccount", "default");
  for (const name of ["a", "b", "c"]) {
    await feed(
      `{apiVersion: v1, kind: Pod, metadata: {name: ${name}, labels: {app: web}}, spec: {containers: [{name: c, image: i}]}}`,
      "create",
    );
    await kubectl("patch", "pod", name, "--subresource=status", "--type=merge", "-p", READY);
  }
  await feed(BUDGET.replace("NAME", "web"), "create");
});

async function evict(pod: string, dryRun = false): Promise<string> {
  const eviction = {
    apiVersion: "policy/v1",
    kind: "Eviction",
    metadata: { name: pod, namespace: "default" },
    ...(dryRun ? { deleteOptions: { dryRun: ["All"] } } : {}),
  };
  const path = `/api/v1/namespaces/default/pods/${pod}/eviction`;
  const { stdout, stderr } = await run(["create", "--raw", path, "-f", "-"], JSON.stringify(eviction));
  return `${stdout}${stderr}`;
}

const left = (): Promise<string> => kubectl("get", "pods", "-o", "jsonpath={.items[*].metadata.name}");

test("a budget that no controller has looked at allows nothing", async () => {
  assert.match(await evict("a"), /Cannot evict pod as it would violate the pod's disruption budget/);
  assert.equal(await left(), "a b c");
});

test("what it allows is used up, by name, and then it is refused", async () => {
  await kubectl("patch", "pdb", "web", "--subresource=status", "--type=merge", "-p", STATUS);
  assert.match(await evict("a", true), /"status": ?"Success"/);
  assert.equal(await left(), "a b c");
  assert.match(await evict("a"), /"status": ?"Success"/);
  assert.equal(await left(), "b c");
  const budget = JSON.parse(await kubectl("get", "pdb", "web", "-o", "json"));
  assert.equal(budget.status.disruptionsAllowed, 0);
  assert.deepEqual(Object.keys(budget.status.disruptedPods), ["a"]);
  assert.match(await evict("b"), /Cannot evict pod/);
});

test("a pod that serves nobody goes while enough others do", async () => {
  await kubectl(
    "patch",
    "pod",
    "c",
    "--subresource=status",
    "--type=merge",
    "-p",
    '{"status":{"conditions":[]}}',
  );
  assert.match(await evict("c"), /"status": ?"Success"/);
  assert.equal(await left(), "b");
});

test("two budgets over one pod are refused", async () => {
  await feed(BUDGET.replace("NAME", "again"), "create");
  assert.match(await evict("b"), /more than one PodDisruptionBudget/);
});
