import assert from "node:assert/strict";
import { test } from "node:test";
import type { Pod, StatefulSet } from "@meltemi/kubernetes";
import { decideStatefulSet } from "./decide-stateful-set.ts";
import { NOW_MS, type PodOptions, podOf } from "./objects.testing.ts";

type Spec = NonNullable<StatefulSet["spec"]>;

function setOf(spec: Partial<Spec> = {}): StatefulSet {
  return {
    metadata: { name: "db", namespace: "default", uid: "set", generation: 1 },
    spec: { replicas: 3, serviceName: "db", selector: {}, template: { spec: { containers: [] } }, ...spec },
  };
}

function member(ordinal: number, hash: "new" | "old" = "new", options: Partial<PodOptions> = {}): Pod {
  const labels = { "controller-revision-hash": hash };
  return podOf({ name: `db-${ordinal}`, labels, owner: { uid: "set", kind: "StatefulSet" }, ...options });
}

const parallel = { podManagementPolicy: "Parallel" };
const partition = { updateStrategy: { rollingUpdate: { partition: 2 } } };
const claims = { volumeClaimTemplates: [{ metadata: { name: "data" } }] };
const cases: readonly { name: string; set: StatefulSet; pods: readonly Pod[]; want: readonly string[] }[] = [
  { name: "the first", set: setOf(), pods: [], want: ["create db-0"] },
  {
    name: "the next waits for the one before",
    set: setOf(),
    pods: [member(0, "new", { ready: false })],
    want: [],
  },
  { name: "the next", set: setOf(), pods: [member(0)], want: ["create db-1"] },
  { name: "all at once", set: setOf(parallel), pods: [member(1)], want: ["create db-0", "create db-2"] },
  { name: "a gap is filled first", set: setOf(), pods: [member(0), member(2)], want: ["create db-1"] },
  {
    name: "a name is free only when its pod is gone",
    set: setOf(),
    pods: [member(0), member(1, "new", { terminating: true }), member(2)],
    want: [],
  },
  {
    name: "a failed one makes room",
    set: setOf(),
    pods: [member(0, "new", { phase: "Failed" })],
    want: ["delete db-0"],
  },
  {
    name: "scale down from the top, one by one",
    set: setOf({ replicas: 1 }),
    pods: [member(0), member(1), member(2)],
    want: ["delete db-2"],
  },
  {
    name: "scale down waits",
    set: setOf({ replicas: 1 }),
    pods: [member(0), member(1), member(2, "new", { terminating: true })],
    want: [],
  },
  {
    name: "scale down at once",
    set: setOf({ replicas: 1, ...parallel }),
    pods: [member(0), member(1), member(2)],
    want: ["delete db-2", "delete db-1"],
  },
  {
    name: "update from the top",
    set: setOf(),
    pods: [member(0, "old"), member(1, "old"), member(2, "old")],
    want: ["delete db-2"],
  },
  {
    name: "update waits for the one above",
    set: setOf(),
    pods: [member(0, "old"), member(1, "old"), member(2, "new", { ready: false })],
    want: [],
  },
  {
    name: "update stops at the partition",
    set: setOf(partition),
    pods: [member(0, "old"), member(1, "old"), member(2)],
    want: [],
  },
  {
    name: "a broken old one is not waited for",
    set: setOf(),
    pods: [member(0, "old", { ready: false })],
    want: ["delete db-0"],
  },
  {
    name: "on delete: nothing is updated",
    set: setOf({ updateStrategy: { type: "OnDelete" } }),
    pods: [member(0, "old"), member(1, "old"), member(2, "old")],
    want: [],
  },
  {
    name: "ordinals begin where they should",
    set: setOf({ replicas: 1, ordinals: { start: 5 } }),
    pods: [],
    want: ["create db-5"],
  },
  { name: "volume claims are not supported: nothing is made", set: setOf(claims), pods: [], want: [] },
];
for (const c of cases) {
  test(`decideStatefulSet: ${c.name}`, () => {
    const view = { set: c.set, hash: "new", pods: c.pods, revisions: [], nowMs: NOW_MS };
    const done = decideStatefulSet(view)
      .actions.filter(({ type }) => type.kind === "Pod")
      .map(({ kind, object }) => `${kind} ${object.metadata?.name}`);
    assert.deepEqual(done, c.want);
  });
}
