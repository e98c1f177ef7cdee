import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type AddressChange,
  applyAddressUpdates,
  cidr,
  EMPTY_SNAPSHOT,
  findLocalWorkload,
  findServiceByHostname,
  type GatewayAddress,
  ip,
  ipBytes,
  type MeshSnapshot,
  newService,
  newWorkload,
  type Service,
  type Workload,
} from "@meltemi/model";
import fc from "fast-check";
import { decideInbound, type InboundDecision } from "../inbound/decide-inbound.ts";
import { decideOutbound } from "../outbound/decide-outbound.ts";
import { ISTIO_PORTS } from "../ports.ts";
import { isFound, traceSnapshot } from "./traced-snapshot.ts";

const address = (of: number): string => `10.0.0.${of}`;
const vip = (of: number): string => `10.96.0.${of}`;
const HOST = (of: number): string => `s${of}.ns`;
const port = [{ servicePort: 80, targetPort: 8080, appProtocol: "unknown" }] as const;
const CLIENT = newWorkload({ uid: "client", name: "client", namespace: "ns", addresses: [ip("10.0.0.200")] });

function snapshotOf(...items: (Workload | Service)[]): MeshSnapshot {
  const changes = items.map(
    (item): AddressChange =>
      "uid" in item ? { kind: "workload", workload: item } : { kind: "service", service: item },
  );
  return applyAddressUpdates(EMPTY_SNAPSHOT, changes);
}

test("a name counts as read whether something was found or not, and the view reads as the original", () => {
  const pod = newWorkload({ uid: "a", name: "a", namespace: "ns", addresses: [ip(address(1))] });
  const snapshot = snapshotOf(CLIENT, pod);
  const trace = traceSnapshot(snapshot);
  assert.equal(trace.snapshot.workloadsByAddress.get("/10.0.0.1")?.[0], pod);
  assert.equal(trace.snapshot.services.get("ns/x"), undefined);
  assert.deepEqual([...trace.names], ["/10.0.0.1", "ns/x"]);
  const place = { node: "", clusterId: "" };
  const name = { name: "a", namespace: "ns", serviceAccount: "default" };
  assert.equal(findLocalWorkload(trace.snapshot, name, place), pod);
});

test("what cannot be asked for by name is refused, not left out", () => {
  const { snapshot } = traceSnapshot(snapshotOf(CLIENT));
  assert.throws(() => snapshot.workloads.size, /never known whole/);
  assert.throws(() => snapshot.services.forEach(assert.ok), /never known whole/);
  assert.throws(() => findServiceByHostname(snapshot, "a.b", "ns"), /look up a\.b: expected a namespace/);
  const trace = traceSnapshot(snapshotOf(CLIENT), (hostname) => [`ns/${hostname}`]);
  findServiceByHostname(trace.snapshot, "a.b", "ns");
  assert.deepEqual([...trace.names], ["ns/a.b"]);
});

const network = cidr(ipBytes(ip("10.5.0.0")), 16);
const backend = newWorkload({
  uid: "c//Pod/ns/b",
  name: "b",
  namespace: "ns",
  addresses: [ip(address(2))],
  services: new Map([["ns/full", port]]),
});
const FOUND = snapshotOf(
  backend,
  newService({ name: "full", namespace: "ns", hostname: "full", vips: [{ network: "n", ip: ip(vip(1)) }] }),
  newService({
    name: "empty",
    namespace: "ns",
    hostname: "empty",
    cidrVips: network === undefined ? [] : [{ network: "n", cidr: network }],
  }),
  newWorkload({ uid: "e", name: "e", namespace: "ns", hostname: "db.example" }),
);
for (const [name, want] of [
  ["c//Pod/ns/b", true],
  ["/10.0.0.2", true],
  ["other/10.0.0.2", false],
  ["n/10.96.0.1", true],
  ["/10.96.0.1", false],
  ["ns/full", true],
  ["ns/empty", false],
  ["ns/nothing", false],
  ["ns/db.example", true],
  ["n/10.5.1.1", true],
  ["n/10.6.1.1", false],
  ["n/no-address", false],
] as const)
  test(`found: ${name}: ${want}`, () => assert.equal(isFound(FOUND, name), want));

/** Up to a few workloads and services that refer to each other at random; each address and VIP is of one of its kind. */
const mesh = fc
  .record({
    workloads: fc.uniqueArray(fc.integer({ min: 1, max: 9 }), { maxLength: 8 }),
    services: fc.uniqueArray(fc.integer({ min: 1, max: 6 }), { maxLength: 6 }),
    choices: fc.infiniteStream(fc.nat(1000)),
  })
  .map(({ workloads, services, choices }) => {
    const choose = <T>(...of: readonly T[]): T => of[choices.next().value % of.length] as T;
    const gateway = (): GatewayAddress => ({
      hbonePort: choose(15008, 80),
      destination: choose(
        {
          kind: "address",
          network: choose("", "far"),
          ip: ip(choose(address(choose(1, 2, 3)), vip(choose(1, 2)))),
        },
        { kind: "hostname", namespace: "ns", hostname: choose(HOST(1), HOST(2), "db.example") },
      ),
    });
    const maybe = <T>(make: () => T): T | undefined => (choose(true, false) ? make() : undefined);
    return [
      ...workloads.map((of) => {
        const waypoint = maybe(gateway);
        const networkGateway = maybe(gateway);
        return newWorkload({
          uid: `w${of}`,
          name: `w${of}`,
          namespace: "ns",
          addresses: choose(true, true, false) ? [ip(address(of))] : [],
          hostname: choose("", "db.example"),
          network: choose("", "", "far"),
          tunnelProtocol: choose("none", "hbone"),
          services: new Map(
            [1, 2, 3].flatMap((key) => (choose(true, false) ? [[`ns/${HOST(key)}`, port]] : [])),
          ),
          ...(waypoint && { waypoint }),
          ...(networkGateway && { networkGateway }),
          ...(choose(true, false) && { applicationTunnel: { protocol: choose("none", "proxy"), port: 0 } }),
        });
      }),
      ...services.map((of) => {
        const waypoint = maybe(gateway);
        const mode = choose("standard", "standard", "failover", "passthrough");
        return newService({
          name: `s${of}`,
          namespace: "ns",
          hostname: HOST(of),
          vips: [{ network: choose("", "far"), ip: ip(choose(vip(of), address(of))) }],
          cidrVips: of === 5 && network !== undefined ? [{ network: "", cidr: network }] : [],
          ports: port,
          loadBalancing: { mode, routingPreferences: ["network"], healthPolicy: "onlyHealthy" },
          weightedWaypoints: choose(
            [],
            [
              { waypoint: gateway(), weight: 1 },
              { waypoint: gateway(), weight: choose(0, 2) },
            ],
          ),
          ...(waypoint && { waypoint }),
        });
      }),
    ] as const;
  });

/** Decides as a proxy on demand does, with a control plane that answers names as ours: by name, alias, network, and the pods of a service. */
function decideOnDemand<T>(all: readonly (Workload | Service)[], decide: (snapshot: MeshSnapshot) => T): T {
  const asked = new Set<string>();
  const isAnswer = (item: Workload | Service): boolean =>
    isAnswerTo(asked, item) || [...asked].some((name) => isFound(snapshotOf(item), name));
  for (;;) {
    const trace = traceSnapshot(snapshotOf(CLIENT, ...all.filter(isAnswer)), (hostname) => [
      `ns/${hostname}`,
    ]);
    const decision = decide(trace.snapshot);
    const before = asked.size;
    for (const name of trace.names) asked.add(name);
    if (asked.size === before) return decision;
  }
}

function isAnswerTo(asked: ReadonlySet<string>, item: Workload | Service): boolean {
  if ("uid" in item) return asked.has(item.uid) || [...item.services.keys()].some((key) => asked.has(key));
  return asked.has(`${item.namespace}/${item.hostname}`);
}

test("whatever the mesh, a decision on demand is the one of whoever knows it whole", () => {
  const destination = fc.constantFrom(
    ...[1, 2, 3, 4, 5].flatMap((of) => [address(of), vip(of)]),
    "10.5.1.1",
    "9.9.9.9",
  );
  const draw = fc.double({ min: 0, max: 0.999, noNaN: true });
  fc.assert(
    fc.property(mesh, destination, draw, draw, (all, to, waypoint, endpoint) => {
      const outbound = (snapshot: MeshSnapshot) =>
        decideOutbound(snapshot, {
          source: CLIENT,
          network: "",
          destination: { ip: ip(to), port: 80 },
          ports: ISTIO_PORTS,
          draws: { waypoint, endpoint },
          resolved: () => [ip("192.0.2.1")],
        });
      assert.deepEqual(decideOnDemand(all, outbound), outbound(snapshotOf(CLIENT, ...all)));
      const workload = all.find((item) => "uid" in item) ?? CLIENT;
      const [localIp] = workload.addresses;
      if (localIp === undefined) return;
      for (const authority of [`${to}:80`, `${HOST(1)}:80`]) {
        const inbound = (snapshot: MeshSnapshot): InboundDecision =>
          decideInbound(snapshot, {
            workload,
            localIp,
            authority,
            network: "",
            ports: ISTIO_PORTS,
            localhostApplicationTunnel: false,
          });
        assert.deepEqual(decideOnDemand(all, inbound), inbound(snapshotOf(CLIENT, ...all)));
      }
    }),
    { numRuns: 1000 },
  );
});
