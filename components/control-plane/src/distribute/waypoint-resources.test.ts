import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  ADDRESS_TYPE_URL,
  SERVED_SERVICE_TYPE_URL,
  WAYPOINT_SETTINGS_TYPE_URL,
  WORKLOAD_LABELS_TYPE_URL,
} from "@meltemi/xds";
import { podFacts, SETTINGS, serviceFacts, waypointFacts } from "../compile/facts.fixture.ts";
import { createMeshCompiler } from "../compile/mesh-compiler.ts";
import { clientKind, MESH_CLIENT, podOfNode, typeFault } from "./client-kind.ts";
import { createMeshResources } from "./mesh-resources.ts";

const LABELS = { "gateway.networking.k8s.io/gateway-name": "waypoint" };
const KNOWN = { uid: "u", labels: LABELS };
const CLAIM = { namespace: "ns", name: "waypoint-abc", uid: "u" };
const WAYPOINT = { kind: "waypoint", gateway: "ns/waypoint" } as const;

describe("kinds of clients", () => {
  const cases = [
    { name: "a waypoint's pod", claim: CLAIM, known: KNOWN, want: WAYPOINT },
    { name: "no pod", claim: undefined, known: KNOWN, want: MESH_CLIENT },
    { name: "a pod that is not known", claim: CLAIM, known: undefined, want: MESH_CLIENT },
    {
      name: "the pod that was there before",
      claim: { ...CLAIM, uid: "old" },
      known: KNOWN,
      want: MESH_CLIENT,
    },
    { name: "a pod without the label", claim: CLAIM, known: { uid: "u", labels: {} }, want: MESH_CLIENT },
    {
      name: "a label without a name",
      claim: CLAIM,
      known: { uid: "u", labels: { "gateway.networking.k8s.io/gateway-name": "" } },
      want: MESH_CLIENT,
    },
    { name: "nobody proves it", claim: { ...CLAIM, uid: undefined }, known: KNOWN, want: WAYPOINT },
  ];
  for (const { name, claim, known, want } of cases)
    test(name, () => assert.deepEqual(clientKind(claim, known), want));

  test("the pod of a node", () => {
    assert.deepEqual(podOfNode("waypoint~10.0.0.1~a.b.ns~ns.svc.cluster.local"), {
      namespace: "ns",
      name: "a.b",
      uid: undefined,
    });
    for (const id of ["", "waypoint", "waypoint~x~nodot~y"]) assert.equal(podOfNode(id), undefined);
  });
});

describe("types", () => {
  const ours = [SERVED_SERVICE_TYPE_URL, WAYPOINT_SETTINGS_TYPE_URL, WORKLOAD_LABELS_TYPE_URL];
  for (const typeUrl of ours)
    test(`${typeUrl} is for waypoints alone`, () => {
      assert.equal(typeFault(typeUrl, WAYPOINT), undefined);
      assert.match(typeFault(typeUrl, MESH_CLIENT) ?? "", /expected the token of a pod with label/);
    });
  test("the mesh's are for all", () => assert.equal(typeFault(ADDRESS_TYPE_URL, MESH_CLIENT), undefined));
});

test("each waypoint has what it serves, one encoding a change, and nothing of others", () => {
  const compiler = createMeshCompiler(SETTINGS, (...fault) => assert.fail(String(fault)));
  const { inputs } = compiler;
  const resources = createMeshResources();
  const names = (waypoint: string): Readonly<Record<string, readonly string[]>> =>
    Object.fromEntries(
      resources
        .logsFor({ kind: "waypoint", gateway: `ns/${waypoint}` })
        .map((log) => [
          log.typeUrl.slice(log.typeUrl.lastIndexOf(".") + 1),
          [...log.resources()].map(({ name }) => name),
        ]),
    );
  for (const name of ["one", "two"]) {
    inputs.waypoints.put(`ns/${name}`, waypointFacts({ name }));
    const service = serviceFacts({ name: `svc-${name}`, waypoint: { useWaypoint: name } });
    inputs.services.put(`ns/svc-${name}`, service);
  }
  inputs.pods.put("ns/a", podFacts({ labels: { app: "a" } }));
  resources.publish(compiler.flush());
  const own = (name: string): object => ({
    ServedService: [`ns/svc-${name}.ns.svc.cluster.local`],
    WaypointSettings: [`ns/${name}`],
    WorkloadLabels: ["Kubernetes//Pod/ns/a"],
  });
  for (const name of ["one", "two"]) {
    const { Authorization: _policies, Address: _addresses, ...rest } = names(name);
    assert.deepEqual(rest, own(name));
  }
  assert.equal(resources.logsFor(MESH_CLIENT).length, 2);

  const before = resources.encodings;
  const spec = { hosts: ["svc-one"], http: [{ directResponse: { status: 200 } }] };
  inputs.virtualServices.put("ns/vs", { namespace: "ns", name: "vs", createdMs: 0, generation: 1, spec });
  assert.equal(resources.publish(compiler.flush()), 1);
  assert.equal(resources.encodings - before, 1);

  inputs.services.put("ns/svc-one", serviceFacts({ name: "svc-one", waypoint: { useWaypoint: "two" } }));
  resources.publish(compiler.flush());
  assert.deepEqual(names("one")["ServedService"], []);
  assert.equal(names("two")["ServedService"]?.length, 2);

  inputs.waypoints.put("ns/two", undefined);
  resources.publish(compiler.flush());
  assert.deepEqual([names("two")["ServedService"], names("two")["WaypointSettings"]], [[], []]);
});
