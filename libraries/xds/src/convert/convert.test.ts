import assert from "node:assert/strict";
import { test } from "node:test";
import { create, toBinary } from "@bufbuild/protobuf";
import { EMPTY_MATCH, ip, type Policy, parseCidr, type Service, type Workload } from "@meltemi/model";
import { MeshError } from "@meltemi/runtime";
import { authorization, workload as wire } from "@meltemi/wire";
import fc from "fast-check";
import { decodeAddress, decodePolicy, encodeAddress, encodePolicy } from "./resource.ts";
import { serviceFromWire } from "./service.ts";
import { workloadFromWire, workloadToWire } from "./workload.ts";

const network = (text: string) => {
  const parsed = parseCidr(text);
  assert.ok(parsed);
  return parsed;
};

const FULL_WORKLOAD: Workload = {
  uid: "Kubernetes//Pod/ns/a",
  name: "a",
  namespace: "ns",
  addresses: [ip("10.0.0.1"), ip("fd00::1")],
  hostname: "a.example",
  network: "net1",
  networkGateway: { destination: { kind: "address", network: "net2", ip: ip("1.2.3.4") }, hbonePort: 15008 },
  networkMode: "hostNetwork",
  tunnelProtocol: "hbone",
  nativeTunnel: true,
  trustDomain: "td",
  serviceAccount: "sa",
  waypoint: { destination: { kind: "hostname", namespace: "ns", hostname: "wp.ns.svc" }, hbonePort: 15008 },
  node: "node-a",
  canonicalName: "app",
  canonicalRevision: "v1",
  workloadType: "pod",
  workloadName: "deploy",
  clusterId: "c1",
  locality: { region: "r", zone: "z", subzone: "s" },
  authorizationPolicies: ["ns/p"],
  status: "unhealthy",
  services: new Map([
    ["ns/svc.ns.svc.cluster.local", [{ servicePort: 80, targetPort: 8080, appProtocol: "grpc" }]],
  ]),
  applicationTunnel: { protocol: "proxy", port: 15088 },
  capacity: 5,
};

const FULL_SERVICE: Service = {
  name: "svc",
  namespace: "ns",
  hostname: "svc.ns.svc.cluster.local",
  vips: [{ network: "net1", ip: ip("10.96.0.1") }],
  cidrVips: [{ network: "net1", cidr: network("10.1.0.0/16") }],
  ports: [{ servicePort: 80, targetPort: 0, appProtocol: "http11" }],
  subjectAltNames: ["spiffe://td/ns/ns/sa/other"],
  waypoint: { destination: { kind: "address", network: "", ip: ip("10.0.0.9") }, hbonePort: 15008 },
  weightedWaypoints: [
    {
      waypoint: { destination: { kind: "address", network: "", ip: ip("10.0.0.9") }, hbonePort: 15008 },
      weight: 90,
    },
  ],
  ingressUseWaypoint: true,
  loadBalancing: { routingPreferences: ["network", "region"], mode: "failover", healthPolicy: "allowAll" },
  ipFamilies: "dual",
  canonical: true,
  visibility: "namespace",
};

const FULL_POLICY: Policy = {
  name: "p",
  namespace: "ns",
  scope: "workloadSelector",
  action: "deny",
  rules: [
    [
      [
        {
          namespaces: [{ kind: "exact", value: "a" }],
          notNamespaces: [{ kind: "prefix", value: "b" }],
          principals: [{ kind: "suffix", value: "c" }],
          notPrincipals: [{ kind: "presence" }],
          sourceIps: [network("10.0.0.0/8")],
          notSourceIps: [network("fd00::/8")],
          destinationIps: [network("1.2.3.4/32")],
          notDestinationIps: [network("0.0.0.0/0")],
          destinationPorts: [80, 0, 65535],
          notDestinationPorts: [443],
          serviceAccounts: [{ namespace: "a", serviceAccount: "b" }],
          notServiceAccounts: [{ namespace: "c", serviceAccount: "d" }],
        },
        EMPTY_MATCH,
      ],
    ],
    [],
  ],
  dryRun: true,
};

test("everything survives the wire", () => {
  assert.deepEqual(decodeAddress(encodeAddress({ kind: "workload", workload: FULL_WORKLOAD })), {
    kind: "workload",
    workload: FULL_WORKLOAD,
  });
  assert.deepEqual(decodeAddress(encodeAddress({ kind: "service", service: FULL_SERVICE })), {
    kind: "service",
    service: FULL_SERVICE,
  });
  assert.deepEqual(decodePolicy(encodePolicy(FULL_POLICY)), FULL_POLICY);
});

test("what is empty on the wire has the defaults of the protocol", () => {
  const workload = workloadFromWire(create(wire.WorkloadSchema, { uid: "u" }));
  assert.equal(workload.trustDomain, "cluster.local");
  assert.equal(workload.serviceAccount, "default");
  assert.equal(workload.clusterId, "Kubernetes");
  assert.equal(workload.capacity, 1);
  assert.equal(workload.tunnelProtocol, "none");
  const service = serviceFromWire(create(wire.ServiceSchema, { namespace: "n", hostname: "h" }));
  assert.equal(service.loadBalancing.mode, "standard");
  assert.equal(service.visibility, "public");
});

test("the default trust domain is left out of the wire", () => {
  const workload = { ...FULL_WORKLOAD, trustDomain: "cluster.local" };
  assert.equal(workloadToWire(workload).trustDomain, "");
});

test("equal content has equal bytes whatever the order of its services", () => {
  const ports = [{ servicePort: 1, targetPort: 2, appProtocol: "tcp" }] as const;
  const forward = {
    ...FULL_WORKLOAD,
    services: new Map([
      ["a/x", ports],
      ["a/y", ports],
    ]),
  };
  const backward = {
    ...FULL_WORKLOAD,
    services: new Map([
      ["a/y", ports],
      ["a/x", ports],
    ]),
  };
  assert.deepEqual(
    encodeAddress({ kind: "workload", workload: forward }),
    encodeAddress({ kind: "workload", workload: backward }),
  );
});

test("a full prefix is an address, a shorter one a network", () => {
  const service = serviceFromWire(
    create(wire.ServiceSchema, {
      namespace: "n",
      hostname: "h",
      addresses: [
        { address: Uint8Array.of(10, 0, 0, 1) },
        { address: Uint8Array.of(10, 0, 0, 2), length: 32 },
        { address: Uint8Array.of(10, 0, 0, 3), length: 24 },
      ],
    }),
  );
  assert.deepEqual(
    service.vips.map(({ ip: address }) => address),
    ["10.0.0.1", "10.0.0.2"],
  );
  assert.deepEqual(
    service.cidrVips.map(({ cidr }) => [...cidr.bytes, cidr.prefixLength]),
    [[10, 0, 0, 0, 24]],
  );
});

test("an unknown visibility means public; an unknown application protocol means unknown", () => {
  const service = serviceFromWire(
    create(wire.ServiceSchema, {
      namespace: "n",
      hostname: "h",
      visibility: 7 as wire.Service_Visibility,
      ports: [{ servicePort: 1, targetPort: 1, appProtocol: 99 as wire.AppProtocol }],
    }),
  );
  assert.equal(service.visibility, "public");
  assert.equal(service.ports[0]?.appProtocol, "unknown");
});

const refusedWorkloads = [
  { name: "no uid", message: {} },
  { name: "uid too long", message: { uid: "u".repeat(1025) } },
  { name: "address of three bytes", message: { uid: "u", addresses: [Uint8Array.of(1, 2, 3)] } },
  { name: "LEGACY_ISTIO_MTLS", message: { uid: "u", tunnelProtocol: wire.TunnelProtocol.LEGACY_ISTIO_MTLS } },
  { name: "unknown tunnel protocol", message: { uid: "u", tunnelProtocol: 9 } },
  { name: "unknown status", message: { uid: "u", status: 9 } },
  { name: "unknown workload type", message: { uid: "u", workloadType: -1 } },
  { name: "unknown network mode", message: { uid: "u", networkMode: 3 } },
  { name: "waypoint without destination", message: { uid: "u", waypoint: { hboneMtlsPort: 1 } } },
  {
    name: "port beyond 65535",
    message: { uid: "u", services: { "a/b": { ports: [{ servicePort: 70000 }] } } },
  },
  { name: "empty policy name", message: { uid: "u", authorizationPolicies: [""] } },
];

for (const { name, message } of refusedWorkloads) {
  test(`refused workload: ${name}`, () => {
    const bytes = toBinary(
      wire.AddressSchema,
      create(wire.AddressSchema, { type: { case: "workload", value: create(wire.WorkloadSchema, message) } }),
    );
    assert.throws(() => decodeAddress(bytes), { name: "MeshError", code: "INPUT_INVALID" });
  });
}

const refusedServices = [
  { name: "no hostname", message: { namespace: "n" } },
  { name: "no namespace", message: { hostname: "h" } },
  {
    name: "prefix longer than the address",
    message: { addresses: [{ address: Uint8Array.of(1, 2, 3, 4), length: 33 }] },
  },
  { name: "unspecified scope", message: { loadBalancing: { routingPreference: [0] } } },
  { name: "unknown mode", message: { loadBalancing: { mode: 8 } } },
  { name: "weighted waypoint without destination", message: { weightedWaypoints: [{ weight: 1 }] } },
];

for (const { name, message } of refusedServices) {
  test(`refused service: ${name}`, () => {
    const named = name.startsWith("no ") ? message : { namespace: "n", hostname: "h", ...message };
    assert.throws(() => serviceFromWire(create(wire.ServiceSchema, named)), { code: "INPUT_INVALID" });
  });
}

const refusedPolicies = [
  { name: "no name", message: { namespace: "n" } },
  { name: "unknown action", message: { name: "p", action: 5 } },
  { name: "unknown scope", message: { name: "p", scope: 5 } },
  {
    name: "address of five bytes",
    message: {
      name: "p",
      rules: [{ clauses: [{ matches: [{ sourceIps: [{ address: new Uint8Array(5) }] }] }] }],
    },
  },
  {
    name: "port beyond 65535",
    message: { name: "p", rules: [{ clauses: [{ matches: [{ destinationPorts: [65536] }] }] }] },
  },
];

for (const { name, message } of refusedPolicies) {
  test(`refused policy: ${name}`, () => {
    const bytes = toBinary(
      authorization.AuthorizationSchema,
      create(authorization.AuthorizationSchema, message),
    );
    assert.throws(() => decodePolicy(bytes), { code: "INPUT_INVALID" });
  });
}

test("any bytes are decoded or refused with INPUT_INVALID, never anything else", () => {
  const seeds = [
    encodeAddress({ kind: "workload", workload: FULL_WORKLOAD }),
    encodeAddress({ kind: "service", service: FULL_SERVICE }),
    encodePolicy(FULL_POLICY),
  ];
  const mutated = fc
    .tuple(
      fc.constantFrom(...seeds),
      fc.array(fc.tuple(fc.nat(400), fc.nat(255)), { maxLength: 8 }),
      fc.nat(400),
    )
    .map(([seed, edits, length]) => {
      const bytes = Uint8Array.from(seed).subarray(0, length);
      for (const [at, value] of edits) if (at < bytes.length) bytes[at] = value;
      return bytes;
    });
  fc.assert(
    fc.property(fc.oneof(mutated, fc.uint8Array({ maxLength: 200 })), (bytes) => {
      for (const decode of [decodeAddress, decodePolicy]) {
        try {
          decode(bytes);
        } catch (error) {
          assert.ok(error instanceof MeshError && error.code === "INPUT_INVALID", String(error));
        }
      }
    }),
    { numRuns: 2000 },
  );
});
