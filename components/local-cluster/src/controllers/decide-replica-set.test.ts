import assert from "node:assert/strict";
import { test } from "node:test";
import type { Pod, ReplicaSet } from "@meltemi/kubernetes";
import type { Action } from "./action.ts";
import { decideReplicaSet } from "./decide-replica-set.ts";
import { NOW, NOW_MS, type PodOptions, podOf } from "./objects.testing.ts";

const labels = { app: "a" };
const owner = { uid: "set" };

function setOf(replicas: number, extra: Partial<ReplicaSet> = {}): ReplicaSet {
  return {
    metadata: { name: "web", namespace: "default", uid: "set", generation: 2, ...extra.metadata },
    spec: {
      replicas,
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: { containers: [] } },
      ...extra.spec,
    },
  };
}

function own(options: PodOptions): Pod {
  return podOf({ labels, owner, node: "n", ...options });
}

/** What is done to pods; the status is looked at separately. */
function done(actions: readonly Action[]): readonly string[] {
  return actions
    .filter((action) => !(action.kind === "patch" && action.subresource === "status"))
    .map((action) =>
      action.kind === "create" ? "create" : `${action.kind} ${action.object.metadata?.name}`,
    );
}

const cases: readonly { name: string; set: ReplicaSet; pods: readonly Pod[]; want: readonly string[] }[] = [
  { name: "none yet", set: setOf(2), pods: [], want: ["create", "create"] },
  { name: "enough", set: setOf(1), pods: [own({ name: "p" })], want: [] },
  {
    name: "a terminating pod is replaced at once",
    set: setOf(1),
    pods: [own({ name: "p", terminating: true })],
    want: ["create"],
  },
  {
    name: "a failed pod is replaced",
    set: setOf(1),
    pods: [own({ name: "p", phase: "Failed" })],
    want: ["create"],
  },
  {
    name: "a pod of another owner does not count",
    set: setOf(1),
    pods: [podOf({ name: "p", labels, owner: { uid: "x" } })],
    want: ["create"],
  },
  {
    name: "one that is not ready goes before one that is",
    set: setOf(1),
    pods: [own({ name: "p" }), own({ name: "q", ready: false })],
    want: ["delete q"],
  },
  {
    name: "one without a node goes first",
    set: setOf(1),
    pods: [own({ name: "p", ready: false }), podOf({ name: "q", labels, owner, phase: "Pending" })],
    want: ["delete q"],
  },
  {
    name: "of equals the youngest goes",
    set: setOf(1),
    pods: [
      own({ name: "p", created: "2026-01-01T00:00:00Z" }),
      own({ name: "q", created: "2026-01-01T01:00:00Z" }),
    ],
    want: ["delete q"],
  },
  { name: "zero", set: setOf(0), pods: [own({ name: "p" })], want: ["delete p"] },
  {
    name: "an orphan that matches is taken in before others are made",
    set: setOf(2),
    pods: [podOf({ name: "p", labels })],
    want: ["patch p"],
  },
  {
    name: "an own pod that no longer matches is let go",
    set: setOf(1),
    pods: [own({ name: "p", labels: { app: "b" } })],
    want: ["patch p"],
  },
  {
    name: "a set that is going makes nothing",
    set: setOf(2, { metadata: { deletionTimestamp: NOW, name: "web", uid: "set" } }),
    pods: [],
    want: [],
  },
  {
    name: "at most 500 in one go",
    set: setOf(2000),
    pods: [],
    want: Array.from({ length: 500 }, () => "create"),
  },
];
for (const c of cases) {
  test(`decideReplicaSet: ${c.name}`, () => {
    assert.deepEqual(done(decideReplicaSet({ set: c.set, pods: c.pods, nowMs: NOW_MS }).actions), c.want);
  });
}

test("the status counts, and asks to look again when a pod becomes available", () => {
  const set = setOf(2, { spec: { replicas: 2, selector: { matchLabels: labels }, minReadySeconds: 30 } });
  const pods = [own({ name: "p" }), own({ name: "q", readySince: "2026-01-01T11:59:50Z" })];
  const { actions, recheckAfterMs } = decideReplicaSet({ set, pods, nowMs: NOW_MS });
  const [status] = actions;
  assert.ok(status?.kind === "patch");
  assert.deepEqual(status.body["status"], {
    replicas: 2,
    fullyLabeledReplicas: 2,
    readyReplicas: 2,
    availableReplicas: 1,
    observedGeneration: 2,
  });
  assert.equal(recheckAfterMs, 20_000);
});
