import assert from "node:assert/strict";
import { test } from "node:test";
import type { PodDisruptionBudget, ReplicaSet } from "@meltemi/kubernetes";
import { decideDisruptionBudget } from "./decide-disruption-budget.ts";
import { NOW, NOW_MS, podOf } from "./objects.testing.ts";

const labels = { app: "web" };
const pod = (name: string, more: object = {}) => podOf({ name, labels, owner: { uid: "rs" }, ...more });
const set = (replicas: number): ReplicaSet => ({
  metadata: { name: "web", uid: "rs" },
  spec: { replicas, selector: {} },
});
const three = [pod("a"), pod("b"), pod("c")];
const counts = (allowed: number, healthy: number, desired: number, expected: number) => ({
  disruptionsAllowed: allowed,
  currentHealthy: healthy,
  desiredHealthy: desired,
  expectedPods: expected,
});

const rows: readonly {
  readonly name: string;
  readonly spec: PodDisruptionBudget["spec"];
  readonly pods?: typeof three;
  readonly replicas?: number;
  readonly disrupted?: Record<string, string>;
  readonly want: object;
}[] = [
  { name: "minAvailable", spec: { minAvailable: 2 }, want: counts(1, 3, 2, 3) },
  { name: "minAvailable of all", spec: { minAvailable: 3 }, want: counts(0, 3, 3, 3) },
  { name: "more than there are", spec: { minAvailable: 5 }, want: counts(0, 3, 5, 3) },
  { name: "percentages round up what stays", spec: { minAvailable: "50%" }, want: counts(1, 3, 2, 3) },
  { name: "maxUnavailable", spec: { maxUnavailable: 1 }, want: counts(1, 3, 2, 3) },
  { name: "none may be missing", spec: { maxUnavailable: 0 }, want: counts(0, 3, 3, 3) },
  {
    name: "one is not ready",
    spec: { maxUnavailable: 1 },
    pods: [pod("a"), pod("b"), pod("c", { ready: false })],
    want: counts(0, 2, 2, 3),
  },
  {
    name: "one is going",
    spec: { maxUnavailable: 1 },
    pods: [pod("a"), pod("b", { terminating: true })],
    replicas: 2,
    want: counts(0, 1, 1, 2),
  },
  { name: "one is not made yet", spec: { maxUnavailable: 1 }, replicas: 4, want: counts(0, 3, 3, 4) },
  {
    name: "an eviction is on its way",
    spec: { minAvailable: 1 },
    disrupted: { a: NOW },
    want: counts(1, 2, 1, 3),
  },
  {
    name: "an eviction was never carried out",
    spec: { minAvailable: 1 },
    disrupted: { a: "2026-01-01T11:00:00Z" },
    want: counts(2, 3, 1, 3),
  },
  {
    name: "pods of others",
    spec: { minAvailable: 0 },
    pods: [podOf({ name: "x", labels: { app: "x" } })],
    want: counts(0, 0, 0, 0),
  },
  {
    name: "pods without a controller",
    spec: { maxUnavailable: 1 },
    pods: [podOf({ name: "x", labels }), podOf({ name: "y", labels })],
    want: counts(1, 2, 1, 2),
  },
];
for (const { name, spec, pods = three, replicas = 3, disrupted, want } of rows)
  test(`decideDisruptionBudget: ${name}`, () => {
    const budget: PodDisruptionBudget = {
      metadata: { name: "web", generation: 1 },
      spec: { selector: { matchLabels: labels }, ...spec },
      ...(disrupted === undefined
        ? {}
        : {
            status: {
              disruptedPods: disrupted,
              currentHealthy: 0,
              desiredHealthy: 0,
              disruptionsAllowed: 0,
              expectedPods: 0,
            },
          }),
    };
    const view = { budget, pods, replicaSets: [set(replicas)], statefulSets: [], nowMs: NOW_MS };
    const { actions } = decideDisruptionBudget(view);
    const [action] = actions;
    assert.ok(action?.kind === "patch");
    const status = action.body["status"] as Record<string, unknown>;
    assert.deepEqual(Object.fromEntries(Object.keys(want).map((key) => [key, status[key]])), want);
  });

test("decideDisruptionBudget: nothing changed, nothing to do; without selector nothing is covered", () => {
  const view = { pods: three, replicaSets: [set(3)], statefulSets: [], nowMs: NOW_MS };
  const budget: PodDisruptionBudget = { metadata: { name: "web" }, spec: { minAvailable: 0 } };
  const [action] = decideDisruptionBudget({ ...view, budget }).actions;
  assert.ok(action?.kind === "patch");
  const { status } = action.body as { status: NonNullable<PodDisruptionBudget["status"]> };
  assert.equal(status.expectedPods, 0);
  assert.deepEqual(decideDisruptionBudget({ ...view, budget: { ...budget, status } }).actions, []);
});
