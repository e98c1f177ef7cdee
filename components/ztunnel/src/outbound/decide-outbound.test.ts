import assert from "node:assert/strict";
import { test } from "node:test";
import {
  applyAddressUpdates,
  applyPolicyUpdates,
  EMPTY_MATCH,
  EMPTY_SNAPSHOT,
  ip,
  type MeshSnapshot,
  newWorkload,
  type Policy,
  parseSocketAddress,
  type Workload,
  waypointGuardName,
} from "@meltemi/model";
import { ISTIO_PORTS } from "../ports.ts";
import { decideOutbound, type OutboundDecision } from "./decide-outbound.ts";

const GUARD = `ns/${waypointGuardName([{ ports: [80], accounts: [{ namespace: "ns", serviceAccount: "wp" }] }])}`;
const workload = (name: string, address: string, given: Partial<Workload> = {}): Workload =>
  newWorkload({
    uid: name,
    name,
    namespace: "ns",
    serviceAccount: name,
    addresses: [ip(address)],
    tunnelProtocol: "hbone",
    ...given,
  });
const CLIENT = workload("client", "10.0.0.1");
const WAYPOINT = workload("wp", "10.0.0.2");
const deny = (name: string): Policy => ({
  name,
  namespace: "ns",
  scope: "workloadSelector",
  action: "deny",
  dryRun: false,
  rules: [
    [
      [
        {
          ...EMPTY_MATCH,
          destinationPorts: [80],
          notPrincipals: [{ kind: "exact", value: "cluster.local/ns/ns/sa/wp" }],
        },
      ],
    ],
  ],
});

function meshOf(policies: readonly Policy[]): MeshSnapshot {
  const workloads = [
    CLIENT,
    WAYPOINT,
    workload("guarded", "10.0.0.3", { authorizationPolicies: [GUARD, "ns/other"] }),
    workload("bare", "10.0.0.4", { authorizationPolicies: [GUARD], tunnelProtocol: "none" }),
    workload("denied", "10.0.0.5", { authorizationPolicies: ["ns/other"] }),
  ];
  const addresses = applyAddressUpdates(
    EMPTY_SNAPSHOT,
    workloads.map((each) => ({ kind: "workload", workload: each })),
  );
  return applyPolicyUpdates(
    addresses,
    policies.map((policy) => ({ kind: "policy", policy })),
  );
}
const MESH = meshOf([deny(GUARD.slice(3)), deny("other")]);

function decide(destination: string, source = CLIENT, mesh = MESH): OutboundDecision {
  const address = parseSocketAddress(destination);
  assert.ok(address !== undefined);
  return decideOutbound(mesh, {
    source,
    network: "",
    destination: address,
    ports: ISTIO_PORTS,
    draws: { waypoint: 0, endpoint: 0 },
    resolved: () => undefined,
  });
}

const CASES: readonly (readonly [
  name: string,
  destination: string,
  want: OutboundDecision["kind"],
  source?: Workload,
])[] = [
  ["own outbound port on loopback", "127.0.0.1:15001", "refuse"],
  ["own plaintext port on loopback", "127.0.0.1:15006", "refuse"],
  ["own HBONE port on IPv6 loopback", "[::1]:15008", "refuse"],
  ["the DNS proxy, which passes nothing on", "127.0.0.1:15053", "passthrough"],
  ["another port on loopback", "127.0.0.1:8080", "passthrough"],
  ["a guarded port", "10.0.0.3:80", "refuse"],
  ["a guarded port, from the waypoint", "10.0.0.3:80", "hbone", WAYPOINT],
  ["another port of a guarded workload", "10.0.0.3:81", "hbone"],
  ["a guarded port that no ztunnel stands before", "10.0.0.4:80", "refuse"],
  ["a guarded port that no ztunnel stands before, from the waypoint", "10.0.0.4:80", "tcp", WAYPOINT],
  ["any other policy is for the destination to enforce", "10.0.0.5:80", "hbone"],
];
for (const [name, destination, want, source] of CASES)
  test(`decideOutbound: ${name}`, () => assert.equal(decide(destination, source).kind, want));

test("the refusal says what to do instead, and by which policy", () => {
  const decision = decide("10.0.0.3:80");
  const message = `ns/guarded is reached through its waypoint only: explicitly denied by: ${GUARD}`;
  assert.deepEqual(decision, { kind: "refuse", message });
});

test("a guard that has not come is for the destination to wait for", () => {
  assert.equal(decide("10.0.0.3:80", CLIENT, meshOf([])).kind, "hbone");
});
