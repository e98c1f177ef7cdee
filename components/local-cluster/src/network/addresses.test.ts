import assert from "node:assert/strict";
import { test } from "node:test";
import {
  createAddressPool,
  MAX_PODS_PER_NODE,
  parseClusterName,
  planNode,
  planNodes,
  podAddresses,
  podNamespace,
  podOffset,
  shortPodUid,
} from "./addresses.ts";

for (const name of ["a", "meltemi", "demo2", "abcdefghijkl"])
  test(`parseClusterName takes ${name}`, () => assert.equal(parseClusterName(name), name));
for (const name of ["", "two-words", "Big", "1st", "abcdefghijklm", "a/b", "a b"])
  test(`parseClusterName refuses ${JSON.stringify(name)}`, () =>
    assert.throws(() => parseClusterName(name), { code: "INPUT_INVALID" }));

for (const index of [0, 51, 1.5, Number.NaN])
  test(`planNode refuses number ${index}`, () =>
    assert.throws(() => planNode(index), { code: "INPUT_INVALID" }));

test("nodes do not share addresses, and a pod's address gives its place back", () => {
  const nodes = planNodes(50);
  const all = nodes.flatMap((node) => [
    node.address.v4,
    node.address.v6,
    node.podSubnet.v4,
    node.podSubnet.v6,
  ]);
  assert.equal(new Set(all).size, all.length);
  for (const node of nodes) assert.equal(podOffset(node, podAddresses(node, 7).v4), 7);
  assert.equal(podOffset(planNode(1), podAddresses(planNode(2), 7).v4), undefined);
  assert.equal(podOffset(planNode(1), "10.244.1.1"), undefined);
  assert.equal(podOffset(planNode(1), "10.244.1.x"), undefined);
});

test("names fit into an interface name", () => {
  const short = shortPodUid("081db039-f759-4b67-be1f-0d23c81987b9");
  assert.equal(short, "081db039f7");
  assert.ok(`p${short}`.length <= 15);
  assert.equal(podNamespace("demo", "node-1", short), "mlt-demo-node-1-081db039f7");
});

test("the pool gives every address once, the longest unused first, and then refuses", () => {
  const pool = createAddressPool();
  const taken = Array.from({ length: MAX_PODS_PER_NODE }, () => pool.take());
  assert.equal(new Set(taken).size, MAX_PODS_PER_NODE);
  assert.throws(() => pool.take(), { code: "LIMIT_EXCEEDED" });
  pool.release(40);
  pool.release(5);
  pool.release(1);
  assert.deepEqual([pool.take(), pool.take()], [40, 5]);
  assert.equal(pool.claim(40), false);
  pool.release(40);
  assert.equal(pool.claim(40), true);
});
