import assert from "node:assert/strict";
import { test } from "node:test";
import { ip, type NetworkAddress, type Workload } from "@meltemi/model";
import { service, servicePort } from "@meltemi/testkit";
import fc from "fast-check";
import { REVIEWS, SELF, testWorld } from "../waypoint.fixture.ts";
import { applyUpdate, EMPTY_WORLD } from "../world/world.ts";
import { decideInbound } from "./decide-inbound.ts";

const decide = (authority: string, world = testWorld(), clientNamespace = "default") =>
  decideInbound(world, SELF, { authority, clientNamespace });

for (const [name, authority, key, address] of [
  ["a VIP and a port of a served service", "10.96.0.1:80", REVIEWS, "10.96.0.1"],
  ["its host name", "reviews.default.svc.cluster.local:80", REVIEWS, "10.96.0.1"],
  ["its host name in capitals", "Reviews.default.svc.cluster.local:80", REVIEWS, "10.96.0.1"],
] as const)
  test(`decideInbound serves ${name}`, () => {
    const destination = { ip: ip(address), port: 80 };
    assert.deepEqual(decide(authority), { kind: "service", key, destination });
  });

for (const [name, authority, status, mayChange, message] of [
  ["a port that the service does not have", "10.96.0.1:81", 503, true, /has no port 81/],
  ["a service that is not bound here", "10.96.0.2:80", 400, true, /ratings.* is not bound/],
  ["its host name, too", "ratings.default.svc.cluster.local:80", 503, true, /no service or workload/],
  ["an address that nobody has", "10.96.9.9:80", 400, true, /unknown destination: 10.96.9.9/],
  ["a name that nobody has", "example.com:80", 503, true, /no service or workload/],
  ["a pod that is not bound here", "10.0.0.1:80", 400, true, /client is not bound/],
  ["a bound pod while only services are served", "10.0.0.4:80", 400, true, /bound is not bound/],
  ["the waypoint's own address", "10.0.0.15:80", 503, false, /recursive call/],
  ["the waypoint's own tunnels", "10.0.0.15:15008", 503, false, /recursive call/],
  ["the waypoint's own service", "10.96.0.15:15008", 400, true, /waypoint.* is not bound/],
  ["loopback", "127.0.0.1:15000", 400, true, /unknown destination/],
  ["an address without a port", "10.96.0.1", 400, false, /invalid authority/],
  ["port zero", "10.96.0.1:0", 400, false, /invalid authority/],
  ["nothing", "", 400, false, /invalid authority/],
] as const)
  test(`decideInbound refuses ${name}`, () => {
    const decision = decide(authority);
    assert.ok(decision.kind === "refuse");
    assert.deepEqual([decision.status, decision.mayChange], [status, mayChange]);
    assert.match(decision.message, message);
  });

for (const trafficType of ["workload", "all"] as const)
  test(`decideInbound serves bound pods on any port for ${trafficType}, others never`, () => {
    const world = testWorld({ trafficType });
    const destination = { ip: ip("10.0.0.4"), port: 1234 };
    assert.deepEqual(decide("10.0.0.4:1234", world), { kind: "workload", destination });
    assert.equal(decide("10.0.0.1:1234", world).kind, "refuse");
    assert.equal(decide("10.0.0.15:80", world).kind, "refuse");
  });

const guarded = (vips: readonly NetworkAddress[]) =>
  applyUpdate(testWorld({ trafficType: "all" }), {
    kind: "address",
    upserts: [
      {
        name: "",
        value: { kind: "service", service: service({ name: "reviews", vips, ports: [servicePort(80)] }) },
      },
      {
        name: "",
        value: {
          kind: "workload",
          workload: {
            ...boundPod(),
            services: new Map([[REVIEWS, [servicePort(80)]]]),
            authorizationPolicies: ["default/meltemi_waypoint_required_80_default.waypoint"],
          },
        },
      },
    ],
    removedNames: [],
  });
const boundPod = (): Workload => {
  const found = testWorld().snapshot.workloads.get("Kubernetes//Pod/default/bound");
  assert.ok(found);
  return found;
};

test("where a service requires its waypoint, its pods are reached by its address, not by theirs", () => {
  const world = guarded([{ network: "", ip: ip("10.96.0.1") }]);
  const decision = decide("10.0.0.4:80", world);
  assert.ok(decision.kind === "refuse");
  assert.match(decision.message, /requires its waypoint: dial service default\/reviews/);
  assert.equal(decide("10.0.0.4:81", world).kind, "workload");
  assert.equal(decide("10.96.0.1:80", world).kind, "service");
});

test("a service without an address of its own is reached by those of its pods, required or not", () => {
  assert.equal(decide("10.0.0.4:80", guarded([])).kind, "workload");
});

test("without settings no pod is served", () => {
  const world = { ...testWorld({ trafficType: "all" }), settings: undefined };
  assert.equal(decide("10.0.0.4:80", world).kind, "refuse");
  assert.equal(decide("10.96.0.1:80", EMPTY_WORLD).kind, "refuse");
});

test("of services that share an address, the client's namespace decides; the other is not served by the way", () => {
  const world = applyUpdate(testWorld(), {
    kind: "address",
    upserts: [
      {
        name: "",
        value: {
          kind: "service",
          service: service({
            name: "reviews",
            namespace: "other",
            canonical: false,
            ports: [servicePort(80)],
          }),
        },
      },
    ],
    removedNames: [],
  });
  assert.equal(decide("10.96.0.1:80", world).kind, "service");
  assert.equal(decide("10.96.0.1:80", world, "other").kind, "refuse");
});

test("a hostname without an address is refused", () => {
  const world = applyUpdate(testWorld(), {
    kind: "address",
    upserts: [{ name: "", value: { kind: "service", service: service({ name: "reviews", vips: [] }) } }],
    removedNames: [],
  });
  const decision = decide("reviews.default.svc.cluster.local:80", world);
  assert.ok(decision.kind === "refuse");
  assert.match(decision.message, /has no IP addresses/);
});

test("whatever a peer sends as authority is decided, and nothing but what is bound is served", () => {
  const world = testWorld();
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.webAuthority(), fc.ipV4(), fc.ipV6()), (authority) => {
      const decision = decide(authority, world);
      assert.ok(decision.kind === "refuse" || decision.destination.ip === "10.96.0.1");
    }),
  );
});
