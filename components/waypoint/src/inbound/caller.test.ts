import assert from "node:assert/strict";
import { test } from "node:test";
import { ip } from "@meltemi/model";
import { workload } from "@meltemi/testkit";
import { testWorld } from "../waypoint.fixture.ts";
import { applyUpdate } from "../world/world.ts";
import { callerOf } from "./caller.ts";

const CLIENT = { trustDomain: "cluster.local", namespace: "default", serviceAccount: "client" };
const GATEWAY = workload({ name: "gateway", addresses: [ip("10.0.0.9")] });
const WORLD = [
  {
    kind: "address",
    upserts: [{ name: "", value: { kind: "workload", workload: GATEWAY } }],
    removedNames: [],
  },
  {
    kind: "workloadLabels",
    upserts: [
      {
        name: "Kubernetes//Pod/default/client",
        value: { uid: "Kubernetes//Pod/default/client", labels: new Map([["app", "shop"]]) },
      },
    ],
    removedNames: [],
  },
] as const;
const world = WORLD.reduce(applyUpdate, testWorld());

const call = (remoteAddress: string, headers: readonly (readonly [string, string])[], identity = CLIENT) =>
  callerOf(world, "", { headers, peer: { identity, remoteAddress, remotePort: 999 } });

for (const [name, from, headers, address, uid] of [
  ["who says nothing is where it comes from", "10.0.0.1", [], "10.0.0.1:999", "client"],
  [
    "the original port is told by the node's proxy",
    "10.0.0.1",
    [["forwarded", 'for="10.0.0.1:1234"']],
    "10.0.0.1:1234",
    "client",
  ],
  [
    "behind address translation, a workload of the same identity is believed",
    "192.168.0.1",
    [["forwarded", 'for="10.0.0.1:1234"']],
    "10.0.0.1:1234",
    "client",
  ],
  [
    "the address of somebody else is not believed",
    "10.0.0.1",
    [["forwarded", 'for="10.0.0.4:1234"']],
    "10.0.0.1:999",
    "client",
  ],
  [
    "an address of nobody is not believed",
    "10.0.0.1",
    [["forwarded", 'for="1.2.3.4:1"']],
    "10.0.0.1:999",
    "client",
  ],
  [
    "through a gateway, the far side's word is all there is",
    "10.0.0.9",
    [
      ["forwarded", 'for="10.7.0.1:1234"'],
      ["x-forwarded-network", "n2"],
    ],
    "10.7.0.1:1234",
    undefined,
  ],
  [
    "who only says that it comes through a gateway is not believed",
    "10.0.0.1",
    [
      ["forwarded", 'for="10.7.0.1:1234"'],
      ["x-forwarded-network", "n2"],
    ],
    "10.0.0.1:999",
    "client",
  ],
] as const)
  test(`callerOf: ${name}`, () => {
    const caller = call(from, headers);
    assert.equal(`${caller.ip}:${caller.port}`, address);
    assert.equal(caller.workload?.uid, uid === undefined ? "" : `Kubernetes//Pod/default/${uid}`);
  });

test("labels are those of the workload", () => {
  assert.deepEqual(call("10.0.0.1", []).labels, { app: "shop" });
});

test("a workload that the mesh does not know is what its identity proves and its baggage says", () => {
  const baggage = "k8s.cluster.name=c2,k8s.namespace.name=liar,k8s.deployment.name=web,service.name=shop";
  const { workload: known, labels } = call("10.9.9.9", [["baggage", baggage]]);
  assert.ok(known !== undefined);
  const { namespace, serviceAccount, workloadName, canonicalName, clusterId, workloadType } = known;
  assert.deepEqual(
    [namespace, serviceAccount, workloadName, canonicalName, clusterId, workloadType],
    ["default", "client", "web", "shop", "c2", "deployment"],
  );
  assert.deepEqual(labels, {});
});

test("the workload at an address is not the caller when its identity is another", () => {
  const { workload: known } = call("10.0.0.4", []);
  assert.equal(known?.uid, "");
});
