import assert from "node:assert/strict";
import { test } from "node:test";
import type { Gateway } from "@meltemi/kubernetes";
import { gatewayOf, serviceOf, sliceOf } from "./deployer.fixture.ts";
import { decideGatewayStatus, type GatewayFacts, gatewayHostname } from "./gateway-status.ts";

const HOSTNAME = "wp.ns.svc.cluster.local";

function facts(gateway: Gateway, fields: Partial<GatewayFacts> = {}): GatewayFacts {
  return {
    gateway,
    parameters: { kind: "none" },
    refusal: undefined,
    service: serviceOf(),
    slices: [sliceOf(true)],
    clusterDomain: "cluster.local",
    ...fields,
  };
}

const bad = { name: "bad", port: 80, protocol: "HTTP" };
const mesh = { name: "mesh", port: 15008, protocol: "HBONE" };
const failed = "Failed to assign to any requested addresses";

const accepted: readonly {
  readonly name: string;
  readonly facts: GatewayFacts;
  readonly want: readonly [string, string, string];
}[] = [
  { name: "good", facts: facts(gatewayOf()), want: ["True", "Accepted", "Resource accepted"] },
  {
    name: "no good listener",
    facts: facts(gatewayOf({ listeners: [bad] })),
    want: ["False", "ListenersNotValid", "None of the Gateway's listeners are valid"],
  },
  {
    name: "a bad listener",
    facts: facts(gatewayOf({ listeners: [mesh, bad] })),
    want: ["True", "ListenersNotValid", "Some listeners of Gateway ns/wp are not valid: bad"],
  },
  {
    name: "parameters of a kind there is not",
    facts: facts(gatewayOf(), { parameters: { kind: "unsupported", group: "g", refKind: "K" } }),
    want: [
      "False",
      "InvalidParameters",
      "Unsupported parametersRef group/kind g/K, only ConfigMap is supported",
    ],
  },
  {
    name: "parameters that are not there",
    facts: facts(gatewayOf(), { parameters: { kind: "missing", name: "m" } }),
    want: ["False", "InvalidParameters", "parametersRef ConfigMap ns/m does not exist"],
  },
  {
    name: "addresses that nobody can use",
    facts: facts(gatewayOf({ addresses: [{ value: "10.0.0.1" }, { value: "10.0.0.2" }] })),
    want: ["False", "UnsupportedAddress", "Only Hostname is supported, ignoring 10.0.0.1, 10.0.0.2"],
  },
];
for (const { name, facts: given, want } of accepted) {
  test(`Accepted: ${name}`, () => {
    const { status, reason, message } = decideGatewayStatus(given).conditions[0] ?? {};
    assert.deepEqual([status, reason, message], want);
  });
}

const programmed: readonly {
  readonly name: string;
  readonly facts: GatewayFacts;
  readonly want: readonly [string, string, string];
  readonly addresses: readonly string[];
}[] = [
  {
    name: "ready",
    facts: facts(gatewayOf()),
    want: ["True", "Programmed", `Resource programmed, assigned to service(s) ${HOSTNAME}:15008`],
    addresses: ["10.96.0.9", HOSTNAME],
  },
  {
    name: "dual stack",
    facts: facts(gatewayOf(), { service: serviceOf({ clusterIPs: ["10.96.0.9", "fd00::9"] }) }),
    want: ["True", "Programmed", `Resource programmed, assigned to service(s) ${HOSTNAME}:15008`],
    addresses: ["10.96.0.9", "fd00::9", HOSTNAME],
  },
  {
    name: "by hostname only",
    facts: facts(gatewayOf({}, { annotations: { "networking.istio.io/address-type": "Hostname" } })),
    want: ["True", "Programmed", `Resource programmed, assigned to service(s) ${HOSTNAME}:15008`],
    addresses: [HOSTNAME],
  },
  {
    name: "no Service yet",
    facts: facts(gatewayOf(), { service: undefined }),
    want: ["False", "AddressNotAssigned", `${failed}: hostname "${HOSTNAME}" not found`],
    addresses: [],
  },
  {
    name: "nobody ready",
    facts: facts(gatewayOf(), { slices: [sliceOf(false)] }),
    want: ["False", "AddressNotAssigned", `${failed}: no instances found for hostname "${HOSTNAME}"`],
    addresses: [],
  },
  {
    name: "nobody ready any more: the address stays",
    facts: facts({ ...gatewayOf(), status: { addresses: [{ value: "10.96.0.9" }] } }, { slices: [] }),
    want: ["False", "AddressNotAssigned", `${failed}: no instances found for hostname "${HOSTNAME}"`],
    addresses: ["10.96.0.9"],
  },
  {
    name: "a Service without the port",
    facts: facts(gatewayOf(), { service: serviceOf({ ports: [{ port: 80 }] }) }),
    want: ["False", "AddressNotUsable", `${failed}: port 15008 not found for hostname "${HOSTNAME}"`],
    addresses: [],
  },
  {
    name: "a load balancer without address",
    facts: facts(gatewayOf(), { service: serviceOf({ type: "LoadBalancer" }) }),
    want: [
      "False",
      "AddressNotAssigned",
      `Assigned to service(s) ${HOSTNAME}:15008, but failed to assign to all requested addresses: address pending for hostname "${HOSTNAME}"`,
    ],
    addresses: [],
  },
  {
    name: "somebody else's Service that is not there",
    facts: facts(gatewayOf({ addresses: [{ type: "Hostname", value: "x" }] }), { service: undefined }),
    want: ["False", "AddressNotUsable", `${failed}: hostname "x.ns.svc.cluster.local" not found`],
    addresses: [],
  },
  {
    name: "not rendered",
    facts: facts(gatewayOf(), { refusal: "illegal metadata change: name" }),
    want: ["False", "Invalid", "Not deployed: illegal metadata change: name"],
    addresses: ["10.96.0.9", HOSTNAME],
  },
];
for (const { name, facts: given, want, addresses } of programmed) {
  test(`Programmed: ${name}`, () => {
    const wanted = decideGatewayStatus(given);
    const { status, reason, message } = wanted.conditions[1] ?? {};
    assert.deepEqual([status, reason, message], want);
    assert.deepEqual(
      wanted.addresses.map(({ value }) => value),
      addresses,
    );
  });
}

test("a listener that is not HBONE on 15008 says what is expected", () => {
  const [good, wrong] = decideGatewayStatus(facts(gatewayOf({ listeners: [mesh, bad] }))).listeners;
  const said = (listener: typeof good): readonly string[] =>
    (listener?.conditions ?? []).map(({ type, status, reason }) => `${type}=${status}/${reason}`);
  assert.deepEqual(said(good), [
    "Accepted=True/Accepted",
    "Programmed=True/Programmed",
    "Conflicted=False/NoConflicts",
    "ResolvedRefs=True/ResolvedRefs",
  ]);
  assert.deepEqual(said(wrong).slice(0, 2), [
    "Accepted=False/UnsupportedProtocol",
    "Programmed=False/Invalid",
  ]);
  assert.equal(
    wrong?.conditions[0]?.message,
    'Expected a single listener on port 15008 with protocol "HBONE"',
  );
  assert.deepEqual([good?.attachedRoutes, good?.supportedKinds], [0, []]);
});

test("a short hostname is of the Gateway's namespace", () => {
  const of = (value: string) => gatewayOf({ addresses: [{ type: "Hostname", value }] });
  assert.equal(gatewayHostname(of("x"), "cluster.local"), "x.ns.svc.cluster.local");
  assert.equal(gatewayHostname(of("x.example"), "cluster.local"), "x.example");
});
