import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { cidr, ip, ipBytes } from "./address.ts";
import {
  findAddress,
  findLocalWorkload,
  findServiceByHostname,
  findServiceByVip,
  policiesOf,
} from "./lookup.ts";
import type { Policy } from "./policy.ts";
import {
  type AddressChange,
  applyAddressUpdates,
  applyPolicyUpdates,
  EMPTY_SNAPSHOT,
  type MeshSnapshot,
} from "./snapshot.ts";
import { newService, newWorkload, type Service, type Workload } from "./workload.ts";

const pod = (name: string, given: Partial<Workload> = {}): Workload =>
  newWorkload({
    uid: `Kubernetes//Pod/ns/${name}`,
    name,
    namespace: "ns",
    addresses: [ip("10.0.0.1")],
    ...given,
  });
const http = { servicePort: 80, targetPort: 8080, appProtocol: "unknown" } as const;
const svc = (namespace: string, given: Partial<Service> = {}): Service =>
  newService({
    name: "s",
    namespace,
    hostname: "s.example",
    vips: [{ network: "", ip: ip("10.1.0.1") }],
    ports: [http],
    ...given,
  });
const put = (...items: (Workload | Service)[]): AddressChange[] =>
  items.map((item) =>
    "uid" in item ? { kind: "workload", workload: item } : { kind: "service", service: item },
  );
const meshOf = (...items: (Workload | Service)[]): MeshSnapshot =>
  applyAddressUpdates(EMPTY_SNAPSHOT, put(...items));
const atAddress = (mesh: MeshSnapshot): string | undefined => {
  const found = findAddress(mesh, "", ip("10.0.0.1"), "ns");
  return found?.kind === "workload" ? found.workload.name : found?.service.namespace;
};

const entry = (name: string, given: Partial<Workload> = {}): Workload =>
  pod(name, { uid: `Kubernetes/networking.istio.io/WorkloadEntry/ns/${name}`, ...given });

for (const [name, workloads, want] of [
  [
    "a captured pod before a plain one",
    [pod("captured", { tunnelProtocol: "hbone" }), pod("plain")],
    "captured",
  ],
  [
    "a plain pod before a captured entry",
    [entry("entry", { tunnelProtocol: "hbone" }), pod("plain")],
    "plain",
  ],
  [
    "a captured entry before a plain one",
    [entry("hbone", { tunnelProtocol: "hbone" }), entry("plain")],
    "hbone",
  ],
  ["the newest among equals", [pod("old"), pod("new")], "new"],
  ["never one on the host's network", [pod("host", { networkMode: "hostNetwork" })], undefined],
  ["nothing of another network", [pod("remote", { network: "remote" })], undefined],
] as const)
  test(`an address belongs to ${name}`, () => {
    assert.equal(atAddress(meshOf(...workloads)), want);
    assert.equal(atAddress(meshOf(...workloads.toReversed())), name.startsWith("the newest") ? "old" : want);
  });

test("the second claimant answers when the first goes", () => {
  const mesh = meshOf(pod("captured", { tunnelProtocol: "hbone" }), pod("plain"));
  const after = applyAddressUpdates(mesh, [{ kind: "remove", name: "Kubernetes//Pod/ns/captured" }]);
  assert.equal(atAddress(after), "plain");
  assert.equal(atAddress(mesh), "captured");
});

test("an address that moves leaves the old place", () => {
  const mesh = meshOf(pod("a"));
  const moved = applyAddressUpdates(mesh, put(pod("a", { addresses: [ip("10.0.0.2")] })));
  assert.equal(atAddress(moved), undefined);
  assert.equal(findAddress(moved, "", ip("10.0.0.2"), "ns")?.kind, "workload");
});

test("a workload wins over a service of the same address", () => {
  assert.equal(
    atAddress(meshOf(svc("other", { vips: [{ network: "", ip: ip("10.0.0.1") }] }), pod("a"))),
    "a",
  );
});

const byVip = (mesh: MeshSnapshot, address = "10.1.0.1", network = ""): string | undefined =>
  findServiceByVip(mesh, network, ip(address), "ns")?.namespace;

for (const [name, services, want] of [
  ["the client's own namespace, canonical or not", [svc("a", { canonical: true }), svc("ns")], "ns"],
  ["the last canonical one", [svc("a"), svc("b", { canonical: true }), svc("c", { canonical: true })], "c"],
  ["the first that came", [svc("a"), svc("b")], "a"],
  [
    "none that is visible elsewhere only",
    [svc("a", { visibility: "namespace", canonical: true })],
    undefined,
  ],
  ["the visible one", [svc("a", { visibility: "namespace", canonical: true }), svc("b")], "b"],
  ["its own private one", [svc("a"), svc("ns", { visibility: "namespace" })], "ns"],
] as const)
  test(`a VIP or host name of several services means ${name}`, () => {
    const mesh = meshOf(...services);
    assert.equal(byVip(mesh), want);
    assert.equal(findServiceByHostname(mesh, "s.example", "ns")?.namespace, want);
  });

test("for host names a preferred namespace comes before the first", () => {
  const mesh = meshOf(svc("a"), svc("b"));
  assert.equal(findServiceByHostname(mesh, "s.example", "ns", "b")?.namespace, "b");
  assert.equal(
    findServiceByHostname(meshOf(svc("a"), svc("b"), svc("c", { canonical: true })), "s.example", "ns", "b")
      ?.namespace,
    "c",
  );
});

const net = (text: string, length: number, network = ""): Service["cidrVips"][number] => {
  const parsed = cidr(ipBytes(ip(text)), length);
  assert.ok(parsed !== undefined);
  return { network, cidr: parsed };
};
const wide = (namespace: string, text: string, length: number, given: Partial<Service> = {}): Service =>
  svc(namespace, { vips: [], cidrVips: [net(text, length)], ...given });

for (const [name, services, address, want] of [
  ["IPv4 inside", [wide("a", "10.1.0.0", 16)], "10.1.2.3", "a"],
  ["IPv4 outside", [wide("a", "10.1.0.0", 16)], "10.2.0.1", undefined],
  ["IPv6 inside", [wide("a", "fd00::", 64)], "fd00::9", "a"],
  [
    "dual stack",
    [wide("a", "fd00::", 64, { cidrVips: [net("fd00::", 64), net("10.1.0.0", 16)] })],
    "10.1.2.3",
    "a",
  ],
  ["the longest prefix", [wide("a", "10.1.0.0", 16), wide("b", "10.1.2.0", 24)], "10.1.2.3", "b"],
  ["own namespace before prefix", [wide("ns", "10.0.0.0", 8), wide("b", "10.1.2.0", 24)], "10.1.2.3", "ns"],
  [
    "canonical breaks a tie",
    [wide("a", "10.1.0.0", 16), wide("b", "10.1.0.0", 16, { canonical: true })],
    "10.1.2.3",
    "b",
  ],
  ["an exact VIP before any network", [wide("ns", "10.1.0.0", 24), svc("b")], "10.1.0.1", "b"],
  [
    "an invisible exact VIP falls through to the network",
    [wide("a", "10.1.0.0", 24), svc("b", { visibility: "namespace" })],
    "10.1.0.1",
    "a",
  ],
  [
    "an invisible network does not count",
    [wide("a", "10.1.0.0", 24, { visibility: "namespace" })],
    "10.1.0.9",
    undefined,
  ],
  [
    "another network does not count",
    [wide("a", "10.1.0.0", 24, { cidrVips: [net("10.1.0.0", 24, "remote")] })],
    "10.1.0.9",
    undefined,
  ],
] as const)
  test(`CIDR VIPs: ${name}`, () => assert.equal(byVip(meshOf(...services), address), want));

test("a removed service leaves its VIPs, networks and host name", () => {
  const mesh = meshOf(svc("a"), wide("b", "10.1.0.0", 24, { hostname: "b.example" }));
  const gone = applyAddressUpdates(mesh, [
    { kind: "remove", name: "a/s.example" },
    { kind: "remove", name: "b/b.example" },
    { kind: "remove", name: "never/known" },
    { kind: "remove", name: "not a name" },
  ]);
  assert.equal(byVip(gone), undefined);
  assert.equal(gone.servicesByHostname.size + gone.servicesByCidr.size + gone.servicesByVip.size, 0);
  assert.equal(byVip(mesh), "a");
});

test("a replaced service keeps its place among those of its VIP", () => {
  const mesh = applyAddressUpdates(meshOf(svc("a"), svc("b")), put(svc("a", { subjectAltNames: ["x"] })));
  assert.equal(byVip(mesh), "a");
  const moved = applyAddressUpdates(mesh, put(svc("a", { vips: [{ network: "", ip: ip("10.1.0.2") }] })));
  assert.deepEqual([byVip(moved), byVip(moved, "10.1.0.2")], ["b", "a"]);
});

const backing = (name: string, given: Partial<Workload> = {}): Workload =>
  pod(name, { services: new Map([["ns/s.example", [http]]]), ...given });
const endpointNames = (mesh: MeshSnapshot): string[] => {
  const names: string[] = [];
  mesh.endpoints.get("ns/s.example")?.forEach((workload) => {
    names.push(workload.name);
  });
  return names.sort();
};

test("endpoints wait for their service, and outlive its replacement", () => {
  const staged = meshOf(backing("a"), backing("b"));
  assert.deepEqual(endpointNames(staged), ["a", "b"]);
  const served = applyAddressUpdates(staged, put(svc("ns")));
  const replaced = applyAddressUpdates(served, put(svc("ns", { canonical: true })));
  assert.deepEqual(endpointNames(replaced), ["a", "b"]);
  const removed = applyAddressUpdates(replaced, [{ kind: "remove", name: "ns/s.example" }]);
  assert.deepEqual(endpointNames(removed), ["a", "b"]);
});

test("an endpoint goes with its workload, and with its membership", () => {
  const mesh = meshOf(svc("ns"), backing("a"), backing("b"));
  const gone = applyAddressUpdates(mesh, [{ kind: "remove", name: "Kubernetes//Pod/ns/a" }]);
  assert.deepEqual(endpointNames(gone), ["b"]);
  const left = applyAddressUpdates(gone, put(backing("b", { services: new Map() })));
  assert.deepEqual(endpointNames(left), []);
  assert.equal(left.endpoints.size, 0);
});

for (const [name, sa, node, clusterId, want] of [
  ["on its own node", "sa", "near", "", "ours"],
  ["on the other node", "sa", "far", "", "theirs"],
  ["on neither: nobody, rather than another's pod", "sa", "nowhere", "", "unscheduled"],
  ["a cluster whose nodes have the same names", "sa", "near", "them", undefined],
  ["the node of one cluster, the name of the other", "sa", "far", "us", "unscheduled"],
  ["a node that is not known", "sa", "", "them", "theirs"],
  ["another service account", "else", "near", "", undefined],
] as const)
  test(`a pod is found by the name the node agent gives it: ${name}`, () => {
    const of = (uid: string, node: string, clusterId: string): AddressChange[] =>
      put(pod("a", { uid, node, clusterId, serviceAccount: "sa" }));
    const mesh = applyAddressUpdates(EMPTY_SNAPSHOT, [
      ...of("theirs", "far", "them"),
      ...of("ours", "near", "us"),
      ...of("unscheduled", "", "us"),
    ]);
    const found = findLocalWorkload(
      mesh,
      { name: "a", namespace: "ns", serviceAccount: sa },
      { node, clusterId },
    );
    assert.equal(found?.uid, want);
  });

const policy = (name: string, scope: Policy["scope"], given: Partial<Policy> = {}): Policy => ({
  name,
  namespace: "ns",
  scope,
  action: "allow",
  rules: [],
  dryRun: false,
  ...given,
});

test("the policies of a workload are those of its namespace, the global ones and the named ones", () => {
  const mesh = applyPolicyUpdates(EMPTY_SNAPSHOT, [
    { kind: "policy", policy: policy("everywhere", "global", { namespace: "root" }) },
    { kind: "policy", policy: policy("here", "namespace") },
    { kind: "policy", policy: policy("there", "namespace", { namespace: "other" }) },
    { kind: "policy", policy: policy("chosen", "workloadSelector") },
    { kind: "policy", policy: policy("unchosen", "workloadSelector") },
  ]);
  const found = policiesOf(mesh, pod("a", { authorizationPolicies: ["ns/chosen", "ns/late", "ns/here"] }));
  assert.deepEqual(found.policies.map((item) => item.name).sort(), ["chosen", "everywhere", "here"]);
  assert.deepEqual(found.missing, ["ns/late"]);
});

test("a policy that changes its scope leaves the old one", () => {
  let mesh = applyPolicyUpdates(EMPTY_SNAPSHOT, [{ kind: "policy", policy: policy("p", "namespace") }]);
  const names = (): string[] => policiesOf(mesh, pod("a")).policies.map((item) => item.scope);
  assert.deepEqual(names(), ["namespace"]);
  mesh = applyPolicyUpdates(mesh, [{ kind: "policy", policy: policy("p", "global") }]);
  assert.deepEqual(names(), ["global"]);
  mesh = applyPolicyUpdates(mesh, [{ kind: "policy", policy: policy("p", "workloadSelector") }]);
  assert.deepEqual(names(), []);
  mesh = applyPolicyUpdates(mesh, [{ kind: "policy", policy: policy("p", "namespace") }]);
  mesh = applyPolicyUpdates(mesh, [{ kind: "remove", name: "ns/p" }]);
  assert.deepEqual(names(), []);
  assert.equal(mesh.policies.size + mesh.policiesByNamespace.size + mesh.globalPolicies.length, 0);
});

/** Everything a reader can see, as plain data without order. */
const visible = (mesh: MeshSnapshot): unknown => {
  const lists = (map: {
    forEach(visit: (value: readonly unknown[], key: string) => void): void;
  }): unknown[] => {
    const all: unknown[] = [];
    map.forEach((value, key) => {
      all.push([key, value.length]);
    });
    return all.sort();
  };
  return [
    mesh.workloads.size,
    mesh.services.size,
    mesh.endpoints.size,
    lists(mesh.workloadsByAddress),
    lists(mesh.workloadsByName),
    lists(mesh.servicesByHostname),
    lists(mesh.servicesByVip),
  ];
};

test("any order of updates and removals ends in the view of a mesh built afresh", () => {
  const change: fc.Arbitrary<AddressChange> = fc.oneof(
    fc.tuple(fc.nat(5), fc.nat(3), fc.boolean()).map(([name, host, member]) => ({
      kind: "workload" as const,
      workload: pod(`p${name}`, {
        addresses: [ip(`10.0.0.${host}`)],
        services: new Map(member ? [["ns/s.example", [http]]] : []),
      }),
    })),
    fc.tuple(fc.nat(3), fc.nat(3)).map(([namespace, host]) => ({
      kind: "service" as const,
      service: svc(`n${namespace}`, { vips: [{ network: "", ip: ip(`10.1.0.${host}`) }] }),
    })),
    fc.nat(5).map((name) => ({ kind: "remove" as const, name: `Kubernetes//Pod/ns/p${name}` })),
    fc.nat(3).map((namespace) => ({ kind: "remove" as const, name: `n${namespace}/s.example` })),
  );
  fc.assert(
    fc.property(fc.array(fc.array(change, { maxLength: 6 }), { maxLength: 12 }), (batches) => {
      let mesh = EMPTY_SNAPSHOT;
      for (const batch of batches) mesh = applyAddressUpdates(mesh, batch);
      const left: (Workload | Service)[] = [];
      mesh.workloads.forEach((workload) => {
        left.push(workload);
      });
      mesh.services.forEach((service) => {
        left.push(service);
      });
      assert.deepEqual(visible(mesh), visible(meshOf(...left)));
    }),
  );
});
