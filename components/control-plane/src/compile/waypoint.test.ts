import assert from "node:assert/strict";
import { test } from "node:test";
import { ip } from "@meltemi/model";
import {
  endpointFacts,
  gatewayClassFacts,
  meshListener,
  namespaceFacts,
  podFacts,
  SETTINGS,
  serviceEntryFacts,
  serviceFacts,
  waypointFacts,
} from "./facts.fixture.ts";
import type { MeshInputs } from "./mesh-collections.ts";
import { createMeshCompiler, type MeshCompiler } from "./mesh-compiler.ts";
import { canaryWeight } from "./waypoint.ts";

type Fill = (inputs: MeshInputs) => void;
type Waypoint = Parameters<typeof waypointFacts>[0];

function compile(...fills: readonly Fill[]): MeshCompiler {
  const compiler = createMeshCompiler(SETTINGS, (collection, key, cause) => {
    throw new Error(`${collection} ${key}`, { cause });
  });
  for (const fill of fills) fill(compiler.inputs);
  compiler.flush();
  return compiler;
}

const waypoint =
  (fields: Waypoint = {}): Fill =>
  ({ waypoints }) => {
    const facts = waypointFacts({
      addresses: [
        { kind: "hostname", hostname: `${fields.name ?? "waypoint"}.${fields.namespace ?? "ns"}.svc` },
      ],
      ...fields,
    });
    waypoints.put(`${facts.namespace}/${facts.name}`, facts);
  };
const namespace =
  (fields: Parameters<typeof namespaceFacts>[0]): Fill =>
  ({ namespaces }) =>
    void namespaces.put(fields?.name ?? "ns", namespaceFacts(fields));
const service =
  (fields: Parameters<typeof serviceFacts>[0]): Fill =>
  ({ services }) =>
    void services.put("ns/svc", serviceFacts(fields));
const pod =
  (fields: Parameters<typeof podFacts>[0]): Fill =>
  ({ pods }) =>
    void pods.put("ns/a", podFacts(fields));

const SERVICE = "ns/svc.ns.svc.cluster.local";
const POD = "Kubernetes//Pod/ns/a";
const byLabel = { useWaypoint: "waypoint" };
const named = (name: string, space = "ns"): object => ({
  destination: { kind: "hostname", namespace: space, hostname: `${name}.${space}.svc` },
  hbonePort: 15008,
});

const trafficTypes = [
  { gateway: undefined, ofClass: undefined, service: true, workload: false },
  { gateway: "service", ofClass: "all", service: true, workload: false },
  { gateway: undefined, ofClass: "all", service: true, workload: true },
  { gateway: "all", ofClass: "none", service: true, workload: true },
  { gateway: "workload", ofClass: undefined, service: false, workload: true },
  { gateway: "none", ofClass: "all", service: false, workload: false },
  { gateway: undefined, ofClass: "none", service: false, workload: false },
] as const;
for (const { gateway, ofClass, ...want } of trafficTypes) {
  test(`WaypointForWorkloadTraffic: Gateway ${gateway}, class ${ofClass}`, () => {
    const { outputs } = compile(
      waypoint({ trafficType: gateway }),
      ({ gatewayClasses }) =>
        void gatewayClasses.put("istio-waypoint", gatewayClassFacts({ trafficType: ofClass })),
      namespace({ waypoint: byLabel }),
      service({}),
      pod({}),
    );
    assert.deepEqual(outputs.services.get(SERVICE)?.waypoint, want.service ? named("waypoint") : undefined);
    assert.deepEqual(outputs.workloads.get(POD)?.waypoint, want.workload ? named("waypoint") : undefined);
  });
}

const reports: readonly {
  readonly name: string;
  readonly fills: readonly Fill[];
  readonly want: Readonly<Record<string, string>>;
}[] = [
  { name: "nothing asked for", fills: [waypoint(), service({}), pod({})], want: {} },
  {
    name: "WaypointConfiguredOnlyWhenReady",
    fills: [waypoint({ addresses: [] }), service({ waypoint: byLabel })],
    want: { "Service/ns/svc": "notReady" },
  },
  { name: "bogus", fills: [service({ waypoint: byLabel })], want: { "Service/ns/svc": "missing" } },
  {
    name: "an inherited waypoint for services is no error of a workload",
    fills: [waypoint(), namespace({ waypoint: byLabel }), pod({})],
    want: {},
  },
  {
    name: "a workload's own label to a waypoint for services is one",
    fills: [waypoint(), pod({ waypoint: byLabel })],
    want: { "Pod/ns/a": "unsupportedTraffic" },
  },
  {
    name: "a pod that ended asks for nothing",
    fills: [pod({ waypoint: byLabel, terminated: true })],
    want: {},
  },
  {
    name: "a service and a waypoint for workloads",
    fills: [waypoint({ trafficType: "workload" }), service({ waypoint: byLabel })],
    want: { "Service/ns/svc": "unsupportedTraffic" },
  },
  {
    name: "another namespace that allows its own only",
    fills: [
      waypoint({ namespace: "infra" }),
      service({ waypoint: { ...byLabel, useWaypointNamespace: "infra" } }),
    ],
    want: { "Service/ns/svc": "attachmentDenied" },
  },
  {
    name: "another namespace that allows all",
    fills: [
      waypoint({ namespace: "infra", listeners: [meshListener({ kind: "all" })] }),
      service({ waypoint: { ...byLabel, useWaypointNamespace: "infra" } }),
    ],
    want: { "Service/ns/svc": "bound" },
  },
  {
    name: "the Service of a waypoint is never bound",
    fills: [
      waypoint({ trafficType: "all" }),
      namespace({ waypoint: byLabel }),
      service({ labels: { "gateway.istio.io/managed": "istio.io-mesh-controller" } }),
    ],
    want: {},
  },
  {
    name: "a waypoint's own pod is never bound",
    fills: [
      waypoint({ trafficType: "all" }),
      pod({
        waypoint: { useWaypoint: "missing" },
        labels: { "gateway.networking.k8s.io/gateway-name": "waypoint" },
      }),
    ],
    want: {},
  },
  {
    name: "a wildcard without a waypoint",
    fills: [
      ({ serviceEntries }) => void serviceEntries.put("ns/se", serviceEntryFacts({ hosts: ["*.a.example"] })),
    ],
    want: { "ServiceEntry/ns/se": "missing" },
  },
  {
    name: "a wildcard with one",
    fills: [
      waypoint(),
      ({ serviceEntries }) =>
        void serviceEntries.put("ns/se", serviceEntryFacts({ hosts: ["*.a.example"], waypoint: byLabel })),
    ],
    want: { "ServiceEntry/ns/se": "bound" },
  },
  {
    name: "WorkloadEntryConditions: direct, for services only",
    fills: [waypoint(), workloadEntry(byLabel)],
    want: { "WorkloadEntry/ns/we": "unsupportedTraffic" },
  },
  {
    name: "WorkloadEntryConditions: inherited, for services only",
    fills: [waypoint(), namespace({ waypoint: byLabel }), workloadEntry({})],
    want: {},
  },
  {
    name: "WorkloadEntryConditions: inherited, for all",
    fills: [waypoint({ trafficType: "all" }), namespace({ waypoint: byLabel }), workloadEntry({})],
    want: { "WorkloadEntry/ns/we": "bound" },
  },
];

function workloadEntry(request: object): Fill {
  const facts = { namespace: "ns", name: "we", labels: {}, waypoint: request, endpoint: endpointFacts() };
  return ({ workloadEntries }) => void workloadEntries.put("ns/we", facts);
}

for (const { name, fills, want } of reports) {
  test(`binding: ${name}`, () => {
    const { outputs } = compile(...fills);
    const found = [...outputs.waypointBindings.entries()].map(([key, { binding }]) => [
      key,
      binding === undefined ? "missing" : binding.kind === "refused" ? binding.reason : binding.kind,
    ]);
    assert.deepEqual(Object.fromEntries(found), want);
  });
}

const canaries: readonly {
  readonly name: string;
  readonly own?: object;
  readonly ofNamespace?: object;
  readonly canary?: Waypoint;
  readonly want: string | readonly number[] | undefined;
}[] = [
  { name: "none", own: byLabel, want: undefined },
  {
    name: "on the object",
    own: { ...byLabel, canary: "canary", canaryWeight: "20" },
    want: [80, 20],
  },
  { name: "without weight", own: { ...byLabel, canary: "canary" }, want: [100, 0] },
  { name: "all of it", own: { ...byLabel, canary: "canary", canaryWeight: "100" }, want: [0, 100] },
  {
    name: "on the namespace",
    ofNamespace: { ...byLabel, canary: "canary", canaryWeight: "5" },
    want: [95, 5],
  },
  {
    name: "on the object, with the namespace's primary",
    own: { canary: "canary", canaryWeight: "30" },
    ofNamespace: { ...byLabel, canary: "other", canaryWeight: "5" },
    want: [70, 30],
  },
  {
    name: "not of the namespace when the object has its own primary",
    own: byLabel,
    ofNamespace: { ...byLabel, canary: "canary", canaryWeight: "5" },
    want: undefined,
  },
  {
    name: "same as the primary",
    own: { ...byLabel, canary: "waypoint", canaryWeight: "20" },
    want: "sameAsPrimary",
  },
  {
    name: "bad weight",
    own: { ...byLabel, canary: "canary", canaryWeight: "101" },
    want: "invalidWeight",
  },
  {
    name: "not there",
    own: { ...byLabel, canary: "missing", canaryWeight: "20" },
    want: "missing",
  },
  {
    name: "not ready",
    own: { ...byLabel, canary: "canary", canaryWeight: "20" },
    canary: { addresses: [] },
    want: "notReady",
  },
  {
    name: "for workloads",
    own: { ...byLabel, canary: "canary", canaryWeight: "20" },
    canary: { trafficType: "workload" },
    want: "unsupportedTraffic",
  },
  {
    name: "of another namespace that does not allow it",
    own: { ...byLabel, canary: "canary", canaryNamespace: "infra", canaryWeight: "20" },
    canary: { namespace: "infra" },
    want: "attachmentDenied",
  },
];
for (const { name, own = {}, ofNamespace = {}, canary = {}, want } of canaries) {
  test(`GetUseWaypointCanary: ${name}`, () => {
    const { outputs } = compile(
      waypoint(),
      waypoint({ name: "canary", ...canary }),
      namespace({ waypoint: ofNamespace }),
      service({ waypoint: own }),
    );
    const compiled = outputs.services.get(SERVICE);
    assert.deepEqual(compiled?.waypoint, named("waypoint"), "the primary stays");
    const weights = compiled?.weightedWaypoints.map(({ weight }) => weight);
    assert.deepEqual(weights, Array.isArray(want) ? want : []);
    const report = outputs.waypointBindings.get("Service/ns/svc")?.canary;
    if (typeof want === "string") assert.equal(report?.kind === "refused" && report.reason, want);
    else assert.equal(report?.kind, want === undefined ? undefined : "weighted");
  });
}

for (const [text, want] of [
  [undefined, 0],
  ["0", 0],
  ["100", 100],
  ["101", undefined],
  ["-1", undefined],
  ["1.5", undefined],
  ["", undefined],
  ["ten", undefined],
] as const)
  test(`GetCanaryWeight: ${text}`, () => assert.equal(canaryWeight(text), want));

test("ServicesForWaypoint: by each waypoint that serves them, canaries too", () => {
  const { outputs } = compile(
    waypoint(),
    waypoint({ name: "canary" }),
    service({ waypoint: { ...byLabel, canary: "canary", canaryWeight: "1" } }),
    ({ services }) => void services.put("ns/plain", serviceFacts({ name: "plain" })),
  );
  const served = (key: string): string[] =>
    outputs.waypointBindings.by("waypoint", key).map(({ name }) => name);
  assert.deepEqual([served("ns/waypoint"), served("ns/canary"), served("ns/x")], [["svc"], ["svc"], []]);
});

test("ServicesForWaypoint: by address where the Gateway has no hostname", () => {
  const { outputs } = compile(
    waypoint({ addresses: [{ kind: "ip", ip: ip("10.9.0.1") }] }),
    service({ waypoint: byLabel }),
  );
  assert.deepEqual(outputs.services.get(SERVICE)?.waypoint?.destination, {
    kind: "address",
    network: "",
    ip: "10.9.0.1",
  });
});

test("IngressUseWaypointFromLabels: the service's label wins, even with false", () => {
  const cases = [
    [{ ...byLabel, ingressUseWaypoint: false }, { ingressUseWaypoint: true }, false],
    [byLabel, { ingressUseWaypoint: true }, true],
    [{ ...byLabel, ingressUseWaypoint: true }, {}, true],
    [{ useWaypoint: "missing", ingressUseWaypoint: true }, {}, false],
  ] as const;
  for (const [own, ofNamespace, want] of cases) {
    const { outputs } = compile(waypoint(), namespace({ waypoint: ofNamespace }), service({ waypoint: own }));
    assert.equal(outputs.services.get(SERVICE)?.ingressUseWaypoint, want);
  }
});

test("WaypointInboundBinding: of the Gateway, else of its class; it names the listener that admits", () => {
  const proxy = { port: 15088, protocol: "istio.io/PROXY", allowedNamespaces: { kind: "all" } } as const;
  const { outputs } = compile(
    waypoint({ namespace: "infra", listeners: [meshListener({ kind: "same" }), proxy] }),
    ({ gatewayClasses }) =>
      void gatewayClasses.put(
        "istio-waypoint",
        gatewayClassFacts({ inboundBinding: { protocol: "proxy", port: 15088 } }),
      ),
    service({ waypoint: { ...byLabel, useWaypointNamespace: "infra" } }),
    pod({ namespace: "infra", labels: { "gateway.networking.k8s.io/gateway-name": "waypoint" } }),
  );
  assert.ok(outputs.services.get(SERVICE)?.waypoint);
  assert.deepEqual(outputs.workloads.get("Kubernetes//Pod/infra/a")?.applicationTunnel, {
    protocol: "proxy",
    port: 15088,
  });
});
