/** What a demanded waypoint compiles to, and for whom. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { decideAuthorization } from "@meltemi/authorization";
import { type Identity, ip, type Workload } from "@meltemi/model";
import {
  meshListener,
  namespaceFacts,
  podFacts,
  SETTINGS,
  serviceFacts,
  waypointFacts,
} from "./facts.fixture.ts";
import type { MeshInputs } from "./mesh-collections.ts";
import { createMeshCompiler, type MeshCompiler } from "./mesh-compiler.ts";

type Fill = (inputs: MeshInputs) => void;

const PREFIX = "ns/meltemi_waypoint_required_";
const BY_LABEL = { useWaypoint: "waypoint" };
const DEMANDED = { ...BY_LABEL, required: "true" };
const APP = { app: "a" };

const waypoint =
  (fields: Parameters<typeof waypointFacts>[0] = {}): Fill =>
  ({ waypoints }) => {
    const facts = waypointFacts(fields);
    waypoints.put(`${facts.namespace}/${facts.name}`, facts);
  };
const namespace =
  (required: string | undefined): Fill =>
  ({ namespaces }) => {
    const request = { ...BY_LABEL, ...(required !== undefined && { required }) };
    namespaces.put("ns", namespaceFacts({ waypoint: request }));
  };
const service =
  (fields: Parameters<typeof serviceFacts>[0] = {}): Fill =>
  ({ services }) => {
    const facts = serviceFacts({ selector: APP, ...fields });
    services.put(`${facts.namespace}/${facts.name}`, facts);
  };
const pod =
  (fields: Parameters<typeof podFacts>[0] = {}): Fill =>
  ({ pods }) => {
    const facts = podFacts({ labels: APP, captured: true, ...fields });
    pods.put(`${facts.namespace}/${facts.name}`, facts);
  };

function compile(...fills: readonly Fill[]): MeshCompiler {
  const compiler = createMeshCompiler(SETTINGS, (collection, key, cause) => {
    throw new Error(`${collection} ${key}`, { cause });
  });
  for (const fill of fills) fill(compiler.inputs);
  compiler.flush();
  return compiler;
}

function podOf({ outputs }: MeshCompiler, name = "a"): Workload {
  const found = outputs.workloads.get(`Kubernetes//Pod/ns/${name}`);
  assert.ok(found);
  return found;
}

/** Names of the guards that the pod refers to, which are all there. */
function guardsOf(compiler: MeshCompiler, name?: string): readonly string[] {
  const names = podOf(compiler, name).authorizationPolicies;
  for (const each of names) assert.ok(compiler.outputs.policies.get(each), each);
  return names.map((each) => each.replace(PREFIX, ""));
}

const named = (serviceAccount: string, of = "ns"): Identity => ({
  trustDomain: "cluster.local",
  namespace: of,
  serviceAccount,
});

/** What becomes of a connection to a port of the pod; undefined identity: plaintext. */
function judge(compiler: MeshCompiler, identity: Identity | undefined, port: number): string {
  const policies = podOf(compiler).authorizationPolicies.map((key) => {
    const policy = compiler.outputs.policies.get(key);
    assert.ok(policy);
    return policy;
  });
  const connection = {
    sourceIp: ip("10.1.1.1"),
    destination: { ip: ip("10.0.0.1"), port },
    ...(identity && { identity }),
  };
  return decideAuthorization({ policies, missing: [] }, connection).kind;
}

const guards: readonly {
  readonly name: string;
  readonly fills: readonly Fill[];
  readonly want: readonly string[];
}[] = [
  { name: "bound and not demanded", fills: [waypoint(), service({ waypoint: BY_LABEL })], want: [] },
  { name: "demanded", fills: [waypoint(), service({ waypoint: DEMANDED })], want: ["8080_ns.waypoint"] },
  {
    name: "demanded by the namespace",
    fills: [waypoint(), namespace("true"), service()],
    want: ["8080_ns.waypoint"],
  },
  {
    name: "demanded by the namespace, not by the service",
    fills: [waypoint(), namespace("true"), service({ waypoint: { required: "false" } })],
    want: [],
  },
  {
    name: "demanded by the service, not by the namespace",
    fills: [waypoint(), namespace("false"), service({ waypoint: { required: "true" } })],
    want: ["8080_ns.waypoint"],
  },
  {
    name: "a word that is neither true nor false demands",
    fills: [waypoint(), service({ waypoint: { ...BY_LABEL, required: "yes" } })],
    want: ["8080_ns.waypoint"],
  },
  {
    name: "a waypoint with a service account of its own",
    fills: [waypoint({ serviceAccount: "l7" }), service({ waypoint: DEMANDED })],
    want: ["8080_ns.l7"],
  },
  {
    name: "a waypoint of another namespace",
    fills: [
      waypoint({ namespace: "gates", listeners: [meshListener({ kind: "all" })] }),
      service({ waypoint: { ...DEMANDED, useWaypointNamespace: "gates" } }),
    ],
    want: ["8080_gates.waypoint"],
  },
  {
    name: "a canary may pass too",
    fills: [
      waypoint(),
      waypoint({ name: "next" }),
      service({ waypoint: { ...DEMANDED, canary: "next", canaryWeight: "10" } }),
    ],
    want: ["8080_ns.next_ns.waypoint"],
  },
  {
    name: "a canary that is refused may not",
    fills: [
      waypoint(),
      waypoint({ name: "next", addresses: [] }),
      service({ waypoint: { ...DEMANDED, canary: "next", canaryWeight: "10" } }),
    ],
    want: ["8080_ns.waypoint"],
  },
  { name: "no such waypoint", fills: [service({ waypoint: DEMANDED })], want: ["8080_nobody"] },
  {
    name: "a waypoint that was never ready",
    fills: [waypoint({ addresses: [] }), service({ waypoint: DEMANDED })],
    want: ["8080_nobody"],
  },
  {
    name: "a waypoint that does not admit the namespace",
    fills: [
      waypoint({ namespace: "gates" }),
      service({ waypoint: { ...DEMANDED, useWaypointNamespace: "gates" } }),
    ],
    want: ["8080_nobody"],
  },
  {
    name: "a waypoint for workloads only",
    fills: [waypoint({ trafficType: "workload" }), service({ waypoint: DEMANDED })],
    want: ["8080_nobody"],
  },
  { name: "none asked for", fills: [service({ waypoint: { required: "true" } })], want: ["8080_nobody"] },
  {
    name: "refused by the service, demanded by the namespace",
    fills: [waypoint(), namespace("true"), service({ waypoint: { useWaypoint: "none" } })],
    want: ["8080_nobody"],
  },
  {
    name: "a service that does not select the pod",
    fills: [waypoint(), service({ waypoint: DEMANDED, selector: { app: "b" } })],
    want: [],
  },
  {
    name: "the service of a waypoint, in a namespace that demands",
    fills: [
      waypoint(),
      namespace("true"),
      service({ labels: { "gateway.istio.io/managed": "istio.io-mesh-controller" } }),
    ],
    want: [],
  },
  {
    name: "two services on one port: the waypoint of either",
    fills: [
      waypoint(),
      waypoint({ name: "second" }),
      service({ waypoint: DEMANDED }),
      service({ name: "other", waypoint: { ...DEMANDED, useWaypoint: "second" } }),
    ],
    want: ["8080_ns.second_ns.waypoint"],
  },
  {
    name: "two services on two ports: each its own",
    fills: [
      waypoint(),
      waypoint({ name: "second" }),
      service({ waypoint: DEMANDED }),
      service({
        name: "other",
        waypoint: { ...DEMANDED, useWaypoint: "second" },
        ports: [
          { name: "x", port: 1, targetPort: 9090, appProtocol: "unknown" },
          { name: "y", port: 2, targetPort: 7070, appProtocol: "unknown" },
        ],
      }),
    ],
    want: ["7070-9090_ns.second__8080_ns.waypoint"],
  },
];
for (const { name, fills, want } of guards)
  test(`guard: ${name}`, () => assert.deepEqual(guardsOf(compile(...fills, pod())), want));

const verdicts = [
  { name: "the waypoint", identity: named("waypoint"), port: 8080, want: "allow" },
  { name: "plaintext", identity: undefined, port: 8080, want: "deny" },
  { name: "another pod", identity: named("default"), port: 8080, want: "deny" },
  { name: "a namesake in another namespace", identity: named("waypoint", "other"), port: 8080, want: "deny" },
  {
    name: "a namesake of another trust domain",
    identity: { ...named("waypoint"), trustDomain: "evil" },
    port: 8080,
    want: "deny",
  },
  { name: "a port of no service", identity: undefined, port: 9999, want: "allow" },
] as const;
for (const { name, identity, port, want } of verdicts)
  test(`judged by the guard: ${name}`, () => {
    const compiler = compile(waypoint(), service({ waypoint: DEMANDED }), pod());
    assert.equal(judge(compiler, identity, port), want);
  });

test("without a usable waypoint nobody passes, least of all by its name", () => {
  const compiler = compile(waypoint({ addresses: [] }), service({ waypoint: DEMANDED }), pod());
  assert.equal(judge(compiler, named("waypoint"), 8080), "deny");
  assert.equal(judge(compiler, undefined, 9999), "allow");
});

test("a named port is guarded where each pod has it", () => {
  const ports = [{ name: "http", port: 80, targetPort: "web", appProtocol: "http11" }] as const;
  const compiler = compile(
    waypoint(),
    service({ waypoint: DEMANDED, ports }),
    pod({ namedPorts: { web: 1000 } }),
    pod({ name: "b", namedPorts: { web: 2000 } }),
    pod({ name: "c" }),
  );
  assert.deepEqual(guardsOf(compiler), ["1000_ns.waypoint"]);
  assert.deepEqual(guardsOf(compiler, "b"), ["2000_ns.waypoint"]);
  assert.deepEqual(guardsOf(compiler, "c"), []);
});

test("instances of a Gateway are not guarded; a pod that merely says it is one is", () => {
  const labels = { ...APP, "gateway.networking.k8s.io/gateway-name": "waypoint" };
  const demanded = service({ waypoint: DEMANDED });
  assert.deepEqual(guardsOf(compile(waypoint(), demanded, pod({ labels }))), []);
  const liar = { ...labels, "gateway.networking.k8s.io/gateway-name": "no-such" };
  assert.deepEqual(guardsOf(compile(waypoint(), demanded, pod({ labels: liar }))), ["8080_ns.waypoint"]);
});

const told = [
  { name: "not asked for", request: { required: "true" }, want: "not-asked-for" },
  { name: "not there", request: DEMANDED, want: "missing" },
  {
    name: "not admitted",
    request: { ...DEMANDED, useWaypointNamespace: "gates" },
    want: "attachment-denied",
  },
] as const;
for (const { name, request, want } of told)
  test(`clients are told of a waypoint that no name leads to: ${name}`, () => {
    const { outputs } = compile(waypoint({ namespace: "gates" }), service({ waypoint: request }));
    const told = outputs.services.get("ns/svc.ns.svc.cluster.local");
    assert.deepEqual(told?.waypoint?.destination, {
      kind: "hostname",
      namespace: "ns",
      hostname: `${want}.required-waypoint.invalid`,
    });
    assert.equal(told?.ingressUseWaypoint, true);
  });

test("gateways are sent through a demanded waypoint without being told to", () => {
  const { outputs } = compile(waypoint(), service({ waypoint: DEMANDED }));
  assert.equal(outputs.services.get("ns/svc.ns.svc.cluster.local")?.ingressUseWaypoint, true);
});

test("pods of one demand share a policy, which goes with the last of them", () => {
  const compiler = compile(waypoint(), service({ waypoint: DEMANDED }), pod(), pod({ name: "b" }));
  const key = `${PREFIX}8080_ns.waypoint`;
  assert.ok(compiler.outputs.policies.get(key));
  compiler.inputs.pods.put("ns/a", undefined);
  compiler.flush();
  assert.ok(compiler.outputs.policies.get(key));
  compiler.inputs.pods.put("ns/b", undefined);
  assert.deepEqual(compiler.flush().policies.removedNames, [key]);
});

test("demands come and go, and the policy with them", () => {
  const compiler = compile(waypoint(), service({ waypoint: BY_LABEL }), pod());
  service({ waypoint: DEMANDED })(compiler.inputs);
  assert.deepEqual(
    compiler.flush().policies.upserts.map(({ name }) => name),
    [`${PREFIX}8080_ns.waypoint`],
  );
  compiler.inputs.waypoints.put("ns/waypoint", undefined);
  const { policies } = compiler.flush();
  assert.deepEqual(
    [policies.upserts.map(({ name }) => name), policies.removedNames],
    [[`${PREFIX}8080_nobody`], [`${PREFIX}8080_ns.waypoint`]],
  );
  service({ waypoint: BY_LABEL })(compiler.inputs);
  assert.deepEqual(compiler.flush().policies.removedNames, [`${PREFIX}8080_nobody`]);
  assert.deepEqual(podOf(compiler).authorizationPolicies, []);
});

test("workloads that no ztunnel stands before are named", () => {
  const { outputs } = compile(
    waypoint(),
    service({ waypoint: DEMANDED }),
    pod(),
    pod({ name: "bare", captured: false }),
    pod({ name: "host", hostNetwork: true }),
    pod({ name: "sidecar", captured: false, labels: { ...APP, "networking.istio.io/tunnel": "http" } }),
    pod({ name: "stranger", captured: false, labels: {} }),
  );
  const { unguarded } = outputs.requirementReports.get("Service/ns/svc") ?? {};
  assert.deepEqual(unguarded, { names: ["bare", "host", "sidecar"], count: 3 });
});
