import assert from "node:assert/strict";
import { test } from "node:test";
import type { Node } from "@meltemi/kubernetes";
import { decideLostPods, decideNode, NODE_GRACE_MS } from "./decide-node.ts";
import { NOW, nodeOf, podOf } from "./objects.testing.ts";

const unreachable = ["NoSchedule", "NoExecute"].map((effect) => ({
  key: "node.kubernetes.io/unreachable",
  effect,
}));
const notReady = ["NoSchedule", "NoExecute"].map((effect) => ({
  key: "node.kubernetes.io/not-ready",
  effect,
}));
const own = { key: "special", effect: "NoSchedule" };

const cases: readonly {
  name: string;
  node: Node;
  silentMs: number | undefined;
  want: readonly string[];
  recheck?: number;
}[] = [
  { name: "alive", node: nodeOf("n"), silentMs: 5_000, want: [], recheck: 35_000 },
  { name: "without a lease nothing is concluded", node: nodeOf("n"), silentMs: undefined, want: [] },
  {
    name: "silent: marked, tainted, its pods unready",
    node: nodeOf("n"),
    silentMs: NODE_GRACE_MS,
    want: ["status n", "taints n", "status ready-pod"],
  },
  {
    name: "silent and marked already",
    node: nodeOf("n", { ready: "Unknown", taints: unreachable }),
    silentMs: 60_000,
    want: ["status ready-pod"],
  },
  {
    name: "back: the taints go",
    node: nodeOf("n", { taints: [own, ...unreachable] }),
    silentMs: 0,
    want: ["taints n"],
    recheck: NODE_GRACE_MS,
  },
  {
    name: "not ready by its own word",
    node: nodeOf("n", { ready: "False" }),
    silentMs: 0,
    want: ["taints n"],
    recheck: NODE_GRACE_MS,
  },
  {
    name: "not ready and tainted already",
    node: nodeOf("n", { ready: "False", taints: [own, ...notReady] }),
    silentMs: 0,
    want: [],
    recheck: NODE_GRACE_MS,
  },
];
for (const c of cases) {
  test(`decideNode: ${c.name}`, () => {
    const pods = [
      podOf({ name: "ready-pod", node: "n" }),
      podOf({ name: "other-pod", node: "n", ready: false }),
    ];
    const { actions, recheckAfterMs } = decideNode({ node: c.node, pods, silentMs: c.silentMs, now: NOW });
    const done = actions.map((action) => {
      assert.ok(action.kind === "patch");
      return `${action.subresource ?? "taints"} ${action.object.metadata?.name}`;
    });
    assert.deepEqual(done, c.want);
    assert.equal(recheckAfterMs, c.recheck);
  });
}

test("foreign taints stay", () => {
  const { actions } = decideNode({
    node: nodeOf("n", { ready: "False", taints: [own] }),
    pods: [],
    silentMs: 0,
    now: NOW,
  });
  assert.ok(actions[0]?.kind === "patch");
  assert.deepEqual(actions[0].body["spec"], { taints: [own, ...notReady] });
});

const lost = [
  { name: "nobody was there", pods: 0, goneMs: 0, deleted: 0, recheck: undefined },
  { name: "the node may come back", pods: 2, goneMs: 10_000, deleted: 0, recheck: 30_000 },
  { name: "gone for good", pods: 2, goneMs: NODE_GRACE_MS, deleted: 2, recheck: undefined },
];
for (const c of lost) {
  test(`decideLostPods: ${c.name}`, () => {
    const pods = Array.from({ length: c.pods }, (_, index) => podOf({ name: `p${index}`, node: "n" }));
    const { actions, recheckAfterMs } = decideLostPods(pods, c.goneMs);
    const forced = actions.filter((action) => action.kind === "delete" && action.gracePeriodSeconds === 0);
    assert.equal(forced.length, c.deleted);
    assert.equal(recheckAfterMs, c.recheck);
  });
}
