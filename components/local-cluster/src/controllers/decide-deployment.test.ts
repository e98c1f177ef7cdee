import assert from "node:assert/strict";
import { test } from "node:test";
import type { Deployment, ReplicaSet } from "@meltemi/kubernetes";
import fc from "fast-check";
import type { Action } from "./action.ts";
import { decideDeployment } from "./decide-deployment.ts";
import { availableReplicas, specReplicas, sum } from "./deployment-view.ts";
import { NOW_MS, podOf } from "./objects.testing.ts";
import { rolloutBounds } from "./rollout-bounds.ts";

const OWNER = [{ apiVersion: "apps/v1", kind: "Deployment", name: "web", uid: "d", controller: true }];

function deploymentOf(image: string, spec: Partial<NonNullable<Deployment["spec"]>> = {}): Deployment {
  return {
    metadata: { name: "web", namespace: "default", uid: "d", generation: 1, resourceVersion: "1" },
    spec: {
      replicas: 4,
      selector: { matchLabels: { app: "a" } },
      template: { metadata: { labels: { app: "a" } }, spec: { containers: [{ name: "c", image }] } },
      ...spec,
    },
  };
}

function setOf(image: string, replicas: number, available: number, revision: number): ReplicaSet {
  return {
    metadata: {
      name: `web-${image}`,
      namespace: "default",
      uid: image,
      resourceVersion: "1",
      annotations: { "deployment.kubernetes.io/revision": String(revision) },
      ownerReferences: OWNER,
    },
    spec: {
      replicas,
      selector: {},
      template: {
        metadata: { labels: { app: "a", "pod-template-hash": image } },
        spec: { containers: [{ name: "c", image }] },
      },
    },
    status: { replicas, availableReplicas: available, readyReplicas: available },
  };
}

function done(actions: readonly Action[]): readonly string[] {
  return actions.flatMap((action) => {
    const name = action.object.metadata?.name ?? "";
    if (action.kind === "create") return [`create ${(action.object as ReplicaSet).spec?.replicas}`];
    if (action.kind === "delete") return [`delete ${name}`];
    const replicas = (action.body["spec"] as { replicas?: number } | undefined)?.replicas;
    return replicas === undefined ? [] : [`${name} → ${replicas}`];
  });
}

const recreate = { strategy: { type: "Recreate" } };
const cases: readonly {
  readonly name: string;
  readonly deployment: Deployment;
  readonly sets: readonly ReplicaSet[];
  readonly want: readonly string[];
  readonly oldPods?: number;
}[] = [
  { name: "first rollout makes all at once", deployment: deploymentOf("new"), sets: [], want: ["create 4"] },
  { name: "steady", deployment: deploymentOf("new"), sets: [setOf("new", 4, 4, 1)], want: [] },
  {
    name: "an update begins with the surge",
    deployment: deploymentOf("new"),
    sets: [setOf("old", 4, 4, 1)],
    want: ["create 1"],
  },
  {
    name: "then one old may be missing",
    deployment: deploymentOf("new"),
    sets: [setOf("old", 4, 4, 1), setOf("new", 1, 0, 2)],
    want: ["web-old → 3"],
  },
  {
    name: "room that was made is used",
    deployment: deploymentOf("new"),
    sets: [setOf("old", 3, 3, 1), setOf("new", 1, 0, 2)],
    want: ["web-new → 2"],
  },
  {
    name: "new pods that do not work take nothing away",
    deployment: deploymentOf("new"),
    sets: [setOf("old", 3, 3, 1), setOf("new", 2, 0, 2)],
    want: [],
  },
  {
    name: "old pods that do not work go first",
    deployment: deploymentOf("new"),
    sets: [setOf("old", 4, 1, 1), setOf("new", 1, 1, 2)],
    want: ["web-old → 2"],
  },
  {
    name: "the end",
    deployment: deploymentOf("new"),
    sets: [setOf("old", 1, 1, 1), setOf("new", 4, 4, 2)],
    want: ["web-old → 0"],
  },
  {
    name: "scale up",
    deployment: deploymentOf("new", { replicas: 6 }),
    sets: [setOf("new", 4, 4, 1)],
    want: ["web-new → 6"],
  },
  {
    name: "scale down",
    deployment: deploymentOf("new", { replicas: 1 }),
    sets: [setOf("new", 4, 4, 1)],
    want: ["web-new → 1"],
  },
  {
    name: "to nothing",
    deployment: deploymentOf("new", { replicas: 0 }),
    sets: [setOf("new", 4, 4, 1)],
    want: ["web-new → 0"],
  },
  {
    name: "paused: no rollout",
    deployment: deploymentOf("new", { paused: true }),
    sets: [setOf("old", 4, 4, 1)],
    want: [],
  },
  {
    name: "paused: still scales",
    deployment: deploymentOf("new", { paused: true, replicas: 6 }),
    sets: [setOf("old", 4, 4, 1)],
    want: ["web-old → 6"],
  },
  {
    name: "recreate: the old ones go first",
    deployment: deploymentOf("new", recreate),
    sets: [setOf("old", 4, 4, 1)],
    want: ["web-old → 0"],
  },
  {
    name: "recreate: waits for the last old pod",
    deployment: deploymentOf("new", recreate),
    sets: [setOf("old", 0, 0, 1)],
    oldPods: 1,
    want: [],
  },
  {
    name: "recreate: then the new ones",
    deployment: deploymentOf("new", recreate),
    sets: [setOf("old", 0, 0, 1)],
    want: ["create 4"],
  },
  {
    name: "history is bounded, the oldest goes",
    deployment: deploymentOf("new", { revisionHistoryLimit: 1 }),
    sets: [setOf("b", 0, 0, 2), setOf("a", 0, 0, 1), setOf("new", 4, 4, 3)],
    want: ["delete web-a"],
  },
];
for (const c of cases) {
  test(`decideDeployment: ${c.name}`, () => {
    const pods = Array.from({ length: c.oldPods ?? 0 }, (_, index) =>
      podOf({ name: `p${index}`, owner: { uid: "old" }, terminating: true }),
    );
    const { actions } = decideDeployment({
      deployment: c.deployment,
      replicaSets: c.sets,
      pods,
      nowMs: NOW_MS,
    });
    assert.deepEqual(done(actions), c.want);
  });
}

test("a template that comes back gets the newest revision", () => {
  const sets = [setOf("new", 0, 0, 1), setOf("old", 4, 4, 2)];
  const { actions } = decideDeployment({
    deployment: deploymentOf("new"),
    replicaSets: sets,
    pods: [],
    nowMs: NOW_MS,
  });
  const revisions = actions.flatMap((action) => {
    const metadata =
      action.kind === "patch" ? (action.body["metadata"] as Deployment["metadata"]) : undefined;
    const revision = metadata?.annotations?.["deployment.kubernetes.io/revision"];
    return revision === undefined ? [] : [`${action.object.metadata?.name} ${revision}`];
  });
  assert.deepEqual(revisions, ["web-new 3", "web 3"]);
});

test("a name that another template took is left, and another one chosen", () => {
  const first = decideDeployment({
    deployment: deploymentOf("new"),
    replicaSets: [],
    pods: [],
    nowMs: NOW_MS,
  });
  const name = first.actions[0]?.object.metadata?.name ?? "";
  const foreign: ReplicaSet = { metadata: { name, namespace: "default", uid: "x" } };
  const { actions } = decideDeployment({
    deployment: deploymentOf("new"),
    replicaSets: [foreign],
    pods: [],
    nowMs: NOW_MS,
  });
  assert.ok(actions[0]?.kind === "patch");
  assert.deepEqual(actions[0].body, { status: { collisionCount: 1 } });
  const again = { ...deploymentOf("new"), status: { collisionCount: 1 } };
  const second = decideDeployment({ deployment: again, replicaSets: [foreign], pods: [], nowMs: NOW_MS });
  assert.equal(second.actions[0]?.kind, "create");
  assert.notEqual(second.actions[0]?.object.metadata?.name, name);
});

test("a rollout that stands still for longer than its deadline says so", () => {
  const condition = {
    type: "Progressing",
    status: "True",
    reason: "ReplicaSetUpdated",
    lastUpdateTime: "2026-01-01T11:49:00Z",
  };
  const sets = [setOf("old", 3, 3, 1), setOf("new", 2, 0, 2)];
  const counts = { replicas: 5, updatedReplicas: 2, readyReplicas: 3, availableReplicas: 3 };
  const deployment = { ...deploymentOf("new"), status: { ...counts, conditions: [condition] } };
  const { actions } = decideDeployment({ deployment, replicaSets: sets, pods: [], nowMs: NOW_MS });
  const status = actions.findLast((action) => action.kind === "patch" && action.subresource === "status");
  assert.ok(status?.kind === "patch");
  const { conditions } = status.body["status"] as NonNullable<Deployment["status"]>;
  const progressing = conditions?.find(({ type }) => type === "Progressing");
  assert.deepEqual([progressing?.status, progressing?.reason], ["False", "ProgressDeadlineExceeded"]);
});

test("in any rollout the bounds hold at every step, and it ends", () => {
  const amount = fc.oneof(
    fc.integer({ min: 0, max: 6 }),
    fc.integer({ min: 0, max: 100 }).map((percent) => `${percent}%`),
  );
  const run = fc.record({
    replicas: fc.integer({ min: 0, max: 12 }),
    maxSurge: amount,
    maxUnavailable: amount,
    // Which sets' pods become ready in each step.
    luck: fc.array(fc.tuple(fc.boolean(), fc.boolean()), { minLength: 5, maxLength: 30 }),
  });
  fc.assert(
    fc.property(run, ({ replicas, maxSurge, maxUnavailable, luck }) => {
      const rollingUpdate = { maxSurge, maxUnavailable };
      const deployment = deploymentOf("new", {
        replicas,
        strategy: { type: "RollingUpdate", rollingUpdate },
      });
      const bounds = rolloutBounds(rollingUpdate, replicas);
      let sets: readonly ReplicaSet[] = [setOf("old", replicas, replicas, 1)];
      const steps = [...luck, ...Array.from({ length: 60 }, () => [true, true] as const)];
      for (const [first, second] of steps) {
        const { actions } = decideDeployment({ deployment, replicaSets: sets, pods: [], nowMs: NOW_MS });
        sets = applied(sets, actions);
        assert.ok(sum(sets.map(specReplicas)) <= replicas + bounds.surge, "surge");
        assert.ok(sum(sets.map(availableReplicas)) >= replicas - bounds.unavailable, "unavailability");
        sets = sets.map((set, index) =>
          (index === 0 ? first : second) ? withAvailable(set, specReplicas(set)) : set,
        );
      }
      assert.deepEqual(sets.map(specReplicas), [0, replicas]);
    }),
    { numRuns: 200 },
  );
});

/** What the replica set controller does to a scaled set: pods that work go last. */
function applied(sets: readonly ReplicaSet[], actions: readonly Action[]): readonly ReplicaSet[] {
  const next = sets.map((set) => {
    const patch = actions.find(
      (action) => action.kind === "patch" && action.object === set && action.body["spec"] !== undefined,
    );
    if (patch?.kind !== "patch") return set;
    const { replicas } = patch.body["spec"] as { replicas: number };
    const scaled = { ...set, spec: { selector: {}, ...set.spec, replicas } };
    return withAvailable(scaled, Math.min(availableReplicas(set), replicas));
  });
  const created = actions
    .filter((action) => action.kind === "create")
    .map(({ object }) => object as ReplicaSet);
  return [
    ...next,
    ...created.map((set) => withAvailable({ ...set, metadata: { ...set.metadata, uid: "made" } }, 0)),
  ];
}

function withAvailable(set: ReplicaSet, available: number): ReplicaSet {
  const replicas = specReplicas(set);
  return { ...set, status: { replicas, availableReplicas: available, readyReplicas: available } };
}
