import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type ControllerRevision,
  DAEMON_SETS,
  type DaemonSet,
  type Node,
  type Pod,
} from "@meltemi/kubernetes";
import type { Action } from "./action.ts";
import { nodeOfDaemonPod } from "./daemon-pod.ts";
import { decideDaemonSet } from "./decide-daemon-set.ts";
import { decideRevisions } from "./decide-revisions.ts";
import { NOW_MS, nodeOf, type PodOptions, podOf } from "./objects.testing.ts";

type Rolling = NonNullable<NonNullable<NonNullable<DaemonSet["spec"]>["updateStrategy"]>["rollingUpdate"]>;

const SURGE: Rolling = { maxSurge: 1, maxUnavailable: 0 };
const PLAIN: Rolling = { maxUnavailable: 1 };

function setOf(rollingUpdate: Rolling, nodeSelector?: Readonly<Record<string, string>>): DaemonSet {
  return {
    metadata: { name: "agent", namespace: "default", uid: "set", generation: 1 },
    spec: {
      selector: { matchLabels: { app: "a" } },
      template: {
        metadata: { labels: { app: "a" } },
        spec: { containers: [], ...(nodeSelector === undefined ? {} : { nodeSelector }) },
      },
      updateStrategy: { type: "RollingUpdate", rollingUpdate },
    },
  };
}

function daemon(name: string, node: string, hash: "new" | "old", options: Partial<PodOptions> = {}): Pod {
  const labels = { app: "a", "controller-revision-hash": hash };
  return podOf({ name, node, labels, owner: { uid: "set", kind: "DaemonSet" }, ...options });
}

function done(actions: readonly Action[]): readonly string[] {
  return actions
    .filter((action) => action.kind !== "patch")
    .map((action) =>
      action.kind === "create"
        ? `create on ${nodeOfDaemonPod(action.object as Pod)}`
        : `delete ${action.object.metadata?.name}`,
    );
}

const two = [nodeOf("n1"), nodeOf("n2")];
const current = revisionOf("new", 2);

function revisionOf(hash: string, revision: number): ControllerRevision {
  const ownerReferences = [
    { apiVersion: "apps/v1", kind: "DaemonSet", name: "agent", uid: "set", controller: true },
  ];
  const labels = { "controller-revision-hash": hash };
  return { metadata: { name: `agent-${hash}`, namespace: "default", labels, ownerReferences }, revision };
}
const cases: readonly {
  name: string;
  set: DaemonSet;
  nodes: readonly Node[];
  pods: readonly Pod[];
  want: readonly string[];
}[] = [
  {
    name: "one for each node",
    set: setOf(SURGE),
    nodes: two,
    pods: [],
    want: ["create on n1", "create on n2"],
  },
  {
    name: "nodes that the selector leaves out",
    set: setOf(SURGE, { disk: "fast" }),
    nodes: [nodeOf("n1", { labels: { disk: "fast" } }), nodeOf("n2")],
    pods: [],
    want: ["create on n1"],
  },
  {
    name: "a node that is not ready still gets one",
    set: setOf(SURGE),
    nodes: [
      nodeOf("n1", {
        unschedulable: true,
        taints: [{ key: "node.kubernetes.io/unreachable", effect: "NoExecute" }],
      }),
    ],
    pods: [],
    want: ["create on n1"],
  },
  {
    name: "a tainted node gets none",
    set: setOf(SURGE),
    nodes: [nodeOf("n1", { taints: [{ key: "special", effect: "NoSchedule" }] })],
    pods: [],
    want: [],
  },
  {
    name: "one that is there stays when a taint comes",
    set: setOf(SURGE),
    nodes: [nodeOf("n1", { taints: [{ key: "special", effect: "NoSchedule" }] })],
    pods: [daemon("p", "n1", "new")],
    want: [],
  },
  {
    name: "one is driven out by NoExecute",
    set: setOf(SURGE),
    nodes: [nodeOf("n1", { taints: [{ key: "special", effect: "NoExecute" }] })],
    pods: [daemon("p", "n1", "new")],
    want: ["delete p"],
  },
  {
    name: "a node that is gone",
    set: setOf(SURGE),
    nodes: [],
    pods: [daemon("p", "n1", "new")],
    want: ["delete p"],
  },
  {
    name: "until the last one is gone no other is made",
    set: setOf(PLAIN),
    nodes: [nodeOf("n1")],
    pods: [daemon("p", "n1", "new", { terminating: true })],
    want: [],
  },
  {
    name: "a failed one is removed first",
    set: setOf(SURGE),
    nodes: [nodeOf("n1")],
    pods: [daemon("p", "n1", "new", { phase: "Failed" })],
    want: ["delete p"],
  },
  {
    name: "one too many",
    set: setOf(SURGE),
    nodes: [nodeOf("n1")],
    pods: [
      daemon("p", "n1", "new", { created: "2026-01-01T00:00:00Z" }),
      daemon("q", "n1", "new", { created: "2026-01-01T01:00:00Z" }),
    ],
    want: ["delete q"],
  },
  {
    name: "surge: a second one on one node",
    set: setOf(SURGE),
    nodes: two,
    pods: [daemon("p", "n1", "old"), daemon("q", "n2", "old")],
    want: ["create on n1"],
  },
  {
    name: "surge: waits until the second one works",
    set: setOf(SURGE),
    nodes: two,
    pods: [daemon("p", "n1", "old"), daemon("p2", "n1", "new", { ready: false }), daemon("q", "n2", "old")],
    want: [],
  },
  {
    name: "surge: then the first one goes",
    set: setOf(SURGE),
    nodes: two,
    pods: [daemon("p", "n1", "old"), daemon("p2", "n1", "new"), daemon("q", "n2", "old")],
    want: ["delete p"],
  },
  {
    name: "surge: one that does not work needs no room",
    set: setOf(SURGE),
    nodes: two,
    pods: [
      daemon("p", "n1", "old"),
      daemon("p2", "n1", "new", { ready: false }),
      daemon("q", "n2", "old", { ready: false }),
    ],
    want: ["delete q", "create on n2"],
  },
  {
    name: "plain: one goes",
    set: setOf(PLAIN),
    nodes: two,
    pods: [daemon("p", "n1", "old"), daemon("q", "n2", "old")],
    want: ["delete p"],
  },
  {
    name: "plain: the next waits",
    set: setOf(PLAIN),
    nodes: two,
    pods: [daemon("p", "n1", "new", { ready: false }), daemon("q", "n2", "old")],
    want: [],
  },
  {
    name: "plain: those that do not work go at once",
    set: setOf(PLAIN),
    nodes: two,
    pods: [daemon("p", "n1", "old", { ready: false }), daemon("q", "n2", "old", { ready: false })],
    want: ["delete p", "delete q"],
  },
  {
    name: "on delete: nothing is updated",
    set: {
      ...setOf(PLAIN),
      spec: { ...setOf(PLAIN).spec, selector: {}, template: {}, updateStrategy: { type: "OnDelete" } },
    },
    nodes: two,
    pods: [daemon("p", "n1", "old"), daemon("q", "n2", "old")],
    want: [],
  },
];
for (const c of cases) {
  test(`decideDaemonSet: ${c.name}`, () => {
    const view = {
      set: c.set,
      hash: "new",
      nodes: c.nodes,
      pods: c.pods,
      revisions: [current],
      nowMs: NOW_MS,
    };
    assert.deepEqual(done(decideDaemonSet(view).actions), c.want);
  });
}

test("the status counts nodes; of two pods on one the older", () => {
  const pods = [
    daemon("p", "n1", "new"),
    daemon("q", "n2", "old", { ready: false }),
    daemon("r", "n2", "new", { ready: false }),
  ];
  const { actions } = decideDaemonSet({
    set: setOf(SURGE),
    hash: "new",
    nodes: two,
    pods,
    revisions: [current],
    nowMs: NOW_MS,
  });
  const status = actions.findLast((action) => action.kind === "patch");
  assert.ok(status?.kind === "patch");
  assert.deepEqual(status.body["status"], {
    desiredNumberScheduled: 2,
    currentNumberScheduled: 2,
    numberMisscheduled: 0,
    numberReady: 1,
    numberAvailable: 1,
    numberUnavailable: 1,
    updatedNumberScheduled: 1,
    observedGeneration: 1,
  });
});

const old = [revisionOf("a", 1), revisionOf("b", 3)];
const revisionCases = [
  { name: "the first", revisions: [], limit: 10, want: ["create agent-new 1"] },
  { name: "the newest already", revisions: [revisionOf("new", 2)], limit: 10, want: [] },
  { name: "one more", revisions: old, limit: 10, want: ["create agent-new 4"] },
  {
    name: "one that came back becomes the newest",
    revisions: [...old, revisionOf("new", 2)],
    limit: 10,
    want: ["patch agent-new 4"],
  },
  { name: "the oldest go", revisions: [...old, revisionOf("new", 4)], limit: 1, want: ["delete agent-a 1"] },
  {
    name: "but not while a pod runs it",
    revisions: [...old, revisionOf("used", 0), revisionOf("new", 4)],
    limit: 2,
    want: [],
  },
];
for (const c of revisionCases) {
  test(`decideRevisions: ${c.name}`, () => {
    const set = setOf(SURGE);
    const spec = { selector: {}, template: {}, ...set.spec, revisionHistoryLimit: c.limit };
    const labels = { "controller-revision-hash": "used" };
    const pods = [podOf({ name: "p", labels })];
    const actions = decideRevisions({
      type: DAEMON_SETS,
      set: { ...set, spec },
      hash: "new",
      revisions: c.revisions,
      pods,
    });
    const done = actions.map((action) => {
      const { revision } = (action.kind === "patch" ? action.body : action.object) as ControllerRevision;
      return `${action.kind} ${action.object.metadata?.name} ${revision}`;
    });
    assert.deepEqual(done, c.want);
  });
}
