import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ip } from "./address.ts";
import { type EndpointRequest, resolveTargetPort, selectEndpoint } from "./load-balance.ts";
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
  assert.equal(selectEndpoint(EMPTY_SNAPSHOT, request, Math.random), undefined);
});

const chosen = (view: MeshSnapshot, given: Partial<EndpointRequest>, draw = 0): string | undefined => {
  const request = {
    service: SERVICE,
    servicePort: 80,
    source: SOURCE,
    target: "standard",
    ...given,
  } as const;
  const endpoint = selectEndpoint(view, request, () => draw);
  return endpoint && `${endpoint.workload.name}:${endpoint.targetPort}`;
};

test("what was chosen before changes no later choice", () => {
  const both = [port(80, 8080), port(81, 8181)];
  const one = endpoint("one", { ...same, name: "one", uid: "one", services: new Map([["ns/s.ns", both]]) });
  const view = mesh(one, endpoint("far", { network: "local", locality: place("other", "z") }));
  const zonal = balanced({ mode: "strict", routingPreferences: ["zone"] });
  const elsewhere = { ...SOURCE, locality: place("r", "elsewhere"), network: "else" };
  for (let round = 0; round < 2; round++) {
    assert.equal(chosen(view, { servicePort: 81 }), "one:8181");
    assert.equal(chosen(view, { servicePort: 82 }), undefined);
    assert.deepEqual([0, 0.99].map((draw) => chosen(view, {}, draw)).sort(), ["far:8080", "one:8080"]);
    assert.equal(
      chosen(view, { service: balanced({ mode: "strict", routingPreferences: ["node"] }) }),
      "one:8080",
    );
    assert.equal(chosen(view, { service: zonal, source: elsewhere }), undefined);
  }
  const gated = mesh(
    endpoint("gated", {
      addresses: [],
      network: "else",
      networkGateway: {
        destination: { kind: "address", network: "else", ip: ip("9.9.9.9") },
        hbonePort: 15008,
      },
    }),
  );
  assert.equal(chosen(gated, {}), "gated:8080");
  assert.equal(chosen(gated, { source: elsewhere }), undefined);
});

test("an endpoint that changed is chosen as it is now", () => {
  const before = mesh(endpoint("one"));
  assert.equal(chosen(before, {}), "one:8080");
  const sick = endpoint("one", { status: "unhealthy" });
  const after = applyAddressUpdates(before, [{ kind: "workload", workload: sick }]);
  assert.equal(chosen(after, {}), undefined);
  assert.equal(chosen(after, { service: balanced({ healthPolicy: "allowAll" }) }), "one:8080");
  assert.equal(chosen(before, {}), "one:8080");
});

test("a scan of ports behind a tunnel is answered as long as it goes on", () => {
  const view = mesh(endpoint("one", tunnel(15088)));
  for (const servicePort of [...Array(200).keys(), 0])
    assert.equal(
      chosen(view, { servicePort: servicePort + 1000, target: "waypoint" }),
      `one:${servicePort + 1000}`,
    );
});

test("the draw meets each endpoint for its share of the capacity, as a sum from the left would", () => {
  const capacities = fc.array(fc.integer({ min: 0, max: 5 }), { minLength: 1, maxLength: 12 });
  fc.assert(
    fc.property(
      capacities,
      fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
      (weights, draw) => {
        const view = mesh(...weights.map((capacity, index) => endpoint(`e${index}`, { capacity })));
        const order: Workload[] = [];
        view.endpoints.get("ns/s.ns")?.forEach((workload) => void order.push(workload));
        const total = weights.reduce((sum, weight) => sum + weight, 0);
        let left = draw * total;
        const want =
          total === 0
            ? order[Math.floor(draw * order.length)]
            : order.find(({ capacity }) => {
                left -= capacity;
                return left < 0;
              });
        // A sum that floating point has run off its end falls on the last with capacity.
        if (want !== undefined) assert.equal(chosen(view, {}, draw), `${want.name}:8080`);
      },
    ),
  );
});
