import assert from "node:assert/strict";
import { test } from "node:test";
import { ip } from "./address.ts";
import { resolveTargetPort, selectEndpoint, usableEndpoints } from "./load-balance.ts";
import { applyAddressUpdates, EMPTY_SNAPSHOT, type MeshSnapshot } from "./snapshot.ts";
import { type LoadBalancing, newService, newWorkload, type Service, type Workload } from "./workload.ts";

const port = (servicePort: number, targetPort: number): Service["ports"][number] => ({
  servicePort,
  targetPort,
  appProtocol: "unknown",
});
const SERVICE = newService({
  name: "s",
  namespace: "ns",
  hostname: "s.ns",
  ports: [port(80, 8080), port(81, 0)],
});
const place = (region: string, zone: string): Workload["locality"] => ({ region, zone, subzone: "" });
const endpoint = (name: string, given: Partial<Workload> = {}): Workload =>
  newWorkload({
    uid: name,
    name,
    namespace: "ns",
    addresses: [ip("10.0.0.1")],
    services: new Map([["ns/s.ns", [port(80, 8080)]]]),
    ...given,
  });
const SOURCE = newWorkload({
  uid: "source",
  name: "source",
  namespace: "ns",
  network: "local",
  node: "n1",
  locality: place("r", "z"),
});
const mesh = (...workloads: Workload[]): MeshSnapshot =>
  applyAddressUpdates(
    EMPTY_SNAPSHOT,
    workloads.map((workload) => ({ kind: "workload", workload })),
  );
const balanced = (loadBalancing: Partial<LoadBalancing>): Service => ({
  ...SERVICE,
  loadBalancing: { ...SERVICE.loadBalancing, ...loadBalancing },
});

/** All endpoints that some random number leads to. */
function reachable(service: Service, ...workloads: Workload[]): string[] {
  const view = mesh(...workloads);
  const found = new Set<string>();
  for (let step = 0; step < 100; step++) {
    const request = { service, servicePort: 80, source: SOURCE, target: "standard" } as const;
    const chosen = selectEndpoint(view, request, () => step / 100);
    if (chosen !== undefined) found.add(chosen.workload.name);
  }
  return [...found].sort();
}

const same = endpoint("same", { network: "local", node: "n1", locality: place("r", "z") });
const zone = endpoint("zone", { network: "local", locality: place("r", "z") });
const region = endpoint("region", { network: "local", locality: place("r", "other") });
const far = endpoint("far", { network: "local", locality: place("other", "z") });
const remote = endpoint("remote", { network: "remote", locality: place("r", "z") });
const near: LoadBalancing["routingPreferences"] = ["network", "region", "zone"];

for (const [name, service, workloads, want] of [
  ["standard: all", SERVICE, [same, far, remote], ["far", "remote", "same"]],
  [
    "failover: the nearest",
    balanced({ mode: "failover", routingPreferences: near }),
    [zone, region, far, remote],
    ["zone"],
  ],
  [
    "failover: next best",
    balanced({ mode: "failover", routingPreferences: near }),
    [region, far, remote],
    ["region"],
  ],
  [
    "failover: far in the network before near outside",
    balanced({ mode: "failover", routingPreferences: near }),
    [far, remote],
    ["far"],
  ],
  [
    "failover: outside when there is nothing else",
    balanced({ mode: "failover", routingPreferences: near }),
    [remote],
    ["remote"],
  ],
  [
    "failover: nearness counts outside too",
    balanced({ mode: "failover", routingPreferences: near }),
    [remote, endpoint("remote-far", { network: "remote" })],
    ["remote"],
  ],
  [
    "failover: a gap ends the count",
    balanced({ mode: "failover", routingPreferences: ["region", "zone"] }),
    [far, endpoint("none")],
    ["far", "none"],
  ],
  [
    "strict: only the full match",
    balanced({ mode: "strict", routingPreferences: ["node"] }),
    [same, zone],
    ["same"],
  ],
  [
    "strict: nothing else at all",
    balanced({ mode: "strict", routingPreferences: ["node"] }),
    [zone, far],
    [],
  ],
  [
    "strict with network first",
    balanced({ mode: "strict", routingPreferences: near }),
    [remote, zone],
    ["zone"],
  ],
  ["unhealthy ones are left out", SERVICE, [endpoint("sick", { status: "unhealthy" }), zone], ["zone"]],
  [
    "unless health is not asked for",
    balanced({ healthPolicy: "allowAll" }),
    [endpoint("sick", { status: "unhealthy" })],
    ["sick"],
  ],
  ["one without an address is out of reach", SERVICE, [endpoint("bare", { addresses: [] })], []],
  [
    "but not with a host name",
    SERVICE,
    [endpoint("named", { addresses: [], hostname: "x.example" })],
    ["named"],
  ],
  [
    "nor behind the gateway of its network",
    SERVICE,
    [
      endpoint("gated", {
        addresses: [],
        network: "remote",
        networkGateway: {
          destination: { kind: "address", network: "remote", ip: ip("9.9.9.9") },
          hbonePort: 15008,
        },
      }),
    ],
    ["gated"],
  ],
  ["capacity zero gets nothing", SERVICE, [endpoint("none", { capacity: 0 }), zone], ["zone"]],
  ["unless there is nothing else", SERVICE, [endpoint("none", { capacity: 0 })], ["none"]],
] as const)
  test(`load balancing: ${name}`, () => assert.deepEqual(reachable(service, ...workloads), want));

test("capacity weighs", () => {
  const view = mesh(endpoint("one"), endpoint("three", { capacity: 3 }));
  let three = 0;
  for (let step = 0; step < 100; step++) {
    const chosen = selectEndpoint(
      view,
      { service: SERVICE, servicePort: 80, source: SOURCE, target: "standard" },
      () => step / 100,
    );
    if (chosen?.workload.name === "three") three++;
  }
  assert.equal(three, 75);
});

const tunnel = (port: number): Partial<Workload> => ({ applicationTunnel: { protocol: "proxy", port } });
for (const [name, servicePort, target, workload, want] of [
  [
    "the endpoint's own port first",
    80,
    "standard",
    endpoint("a", { services: new Map([["ns/s.ns", [port(80, 9090)]]]) }),
    9090,
  ],
  ["then the service's", 80, "standard", endpoint("a", { services: new Map([["ns/s.ns", []]]) }), 8080],
  [
    "a named port is the endpoint's",
    81,
    "standard",
    endpoint("a", { services: new Map([["ns/s.ns", [port(81, 8181)]]]) }),
    8181,
  ],
  ["a named port that the endpoint lacks", 81, "standard", endpoint("a"), undefined],
  ["a named port behind a tunnel is kept", 81, "standard", endpoint("a", tunnel(15088)), 81],
  ["a port that the service lacks", 82, "standard", endpoint("a"), undefined],
  ["also behind a tunnel", 82, "standard", endpoint("a", tunnel(15088)), undefined],
  ["but not towards a waypoint with one", 82, "waypoint", endpoint("a", tunnel(15088)), 82],
  ["towards a waypoint without one", 82, "waypoint", endpoint("a"), undefined],
  ["towards a waypoint whose tunnel has no port", 82, "waypoint", endpoint("a", tunnel(0)), undefined],
] as const)
  test(`target port: ${name}`, () =>
    assert.equal(resolveTargetPort(SERVICE, workload, servicePort, target), want));

test("a service nobody backs has no endpoint", () => {
  const request = { service: SERVICE, servicePort: 80, source: SOURCE, target: "standard" } as const;
  assert.deepEqual(usableEndpoints(EMPTY_SNAPSHOT, request), []);
  assert.equal(selectEndpoint(EMPTY_SNAPSHOT, request, Math.random), undefined);
});
