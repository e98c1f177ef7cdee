import assert from "node:assert/strict";
import { test } from "node:test";
import { workload } from "@meltemi/testkit";
import { REVIEWS, SELF, servedOf, settingsOf, testWorld } from "../waypoint.fixture.ts";
import { isSelf, isSelfListed, selfWorkload } from "./self.ts";
import { applyUpdate, EMPTY_WORLD } from "./world.ts";

test("an update makes a new world, and the old one sees nothing of it", () => {
  const before = testWorld();
  const served = servedOf({ rateLimits: [] });
  const after = applyUpdate(before, {
    kind: "servedService",
    upserts: [{ name: "default/other", value: served }],
    removedNames: [REVIEWS],
  });
  assert.deepEqual([...before.served.keys()], [REVIEWS]);
  assert.deepEqual([...after.served.keys()], ["default/other"]);
  assert.equal(after.snapshot, before.snapshot);
});

test("labels come, change and go; an update without any keeps the same ones", () => {
  const tell = (labels: readonly (readonly [string, string])[], removedNames: readonly string[] = []) =>
    ({
      kind: "workloadLabels",
      upserts: labels.length === 0 ? [] : [{ name: "uid", value: { uid: "uid", labels: new Map(labels) } }],
      removedNames,
    }) as const;
  const first = applyUpdate(EMPTY_WORLD, tell([["app", "a"]]));
  assert.deepEqual(first.labels.get("uid"), { app: "a" });
  assert.equal(applyUpdate(first, tell([])).labels, first.labels);
  const second = applyUpdate(first, tell([["__proto__", "b"]]));
  assert.deepEqual(Object.keys(second.labels.get("uid") ?? {}), ["__proto__"]);
  assert.equal(applyUpdate(second, tell([], ["uid"])).labels.get("uid"), undefined);
});

test("settings that are taken away hold on: the pod that they were for goes, too", () => {
  const world = testWorld({ trafficType: "all" });
  const after = applyUpdate(world, {
    kind: "waypointSettings",
    upserts: [],
    removedNames: ["default/waypoint"],
  });
  assert.deepEqual(after.settings, settingsOf({ trafficType: "all" }));
});

test("the waypoint knows itself, other replicas of it, and nobody else", () => {
  const world = testWorld();
  const reference = (hostname: string) =>
    ({ destination: { kind: "hostname", namespace: "default", hostname }, hbonePort: 15008 }) as const;
  assert.equal(isSelf(world, SELF, reference("waypoint.default.svc.cluster.local")), true);
  assert.equal(isSelf(world, SELF, reference("reviews.default.svc.cluster.local")), false);
  assert.equal(isSelf(world, SELF, reference("nobody")), false);
  assert.equal(isSelf(world, SELF, undefined), false);
  assert.equal(selfWorkload(EMPTY_WORLD, SELF).serviceAccount, "waypoint");
});

for (const [name, changes, want] of [
  ["a healthy endpoint is listed", {}, true],
  ["an unhealthy one is not", { status: "unhealthy" }, false],
  ["one of no service is not", { services: new Map() }, false],
] as const)
  test(`isSelfListed: ${name}`, () => {
    const world = testWorld();
    const self = world.snapshot.workloads.get("Kubernetes//Pod/default/waypoint-1");
    assert.ok(self !== undefined);
    const after = applyUpdate(world, {
      kind: "address",
      upserts: [{ name: self.uid, value: { kind: "workload", workload: workload({ ...self, ...changes }) } }],
      removedNames: [],
    });
    assert.equal(isSelfListed(after, SELF), want);
  });

test("who is not known is not listed", () => assert.equal(isSelfListed(EMPTY_WORLD, SELF), false));
