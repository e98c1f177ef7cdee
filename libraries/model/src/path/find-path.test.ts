import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type formatIdentity,
  formatSocketAddress,
  ip,
  type Journey,
  type Path,
  parseSocketAddress,
} from "../index.ts";
import { CLIENT, SNAPSHOT, WAYPOINT } from "./find-path.fixture.ts";
import { findPath } from "./find-path.ts";
import { type ReachedEndpoint, reachEndpoint } from "./reach.ts";

function decide(destination: string, given: Partial<Journey> = {}): Path {
  const address = parseSocketAddress(destination);
  assert.ok(address !== undefined);
  return findPath(SNAPSHOT, {
    source: CLIENT,
    network: "",
    destination: address,
    hbonePort: 15008,
    draws: { waypoint: 0.5, endpoint: 0 },
    resolved: () => undefined,
    ...given,
  });
}

/** A decision in one line, so that a table row reads as a sentence. */
function sentence(decision: Path): string {
  const names = (ids: readonly Parameters<typeof formatIdentity>[0][]): string =>
    ids.map((id) => id.serviceAccount).join("|");
  switch (decision.kind) {
    case "refuse":
      return `refuse: ${decision.message}`;
    case "resolve":
      return `resolve ${decision.hostname}`;
    case "passthrough":
    case "tcp":
      return `${decision.kind} ${formatSocketAddress(decision.address)}`;
    case "hbone":
      return `hbone ${formatSocketAddress(decision.address)} for ${decision.authority} from ${names(decision.expected)}`;
    case "doubleHbone":
      return `double ${formatSocketAddress(decision.address)} for ${decision.authority} from ${names(decision.outerExpected)} then ${names(decision.innerExpected)}`;
  }
}

const CASES: readonly (readonly [
  name: string,
  destination: string,
  want: string,
  given?: Partial<Journey>,
])[] = [
  ["unknown destination", "1.2.3.4:80", "passthrough 1.2.3.4:80"],
  ["unknown IPv6 destination", "[fd99::1]:80", "passthrough [fd99::1]:80"],
  ["a workload of another network by its address", "10.0.0.4:80", "passthrough 10.0.0.4:80"],
  ["plain workload", "10.0.0.2:1234", "tcp 10.0.0.2:1234"],
  ["plain workload on port 15008", "10.0.0.2:15008", "tcp 10.0.0.2:15008"],
  ["meshed workload", "10.0.0.3:1234", "hbone 10.0.0.3:15008 for 10.0.0.3:1234 from meshed"],
  [
    "meshed workload on the same node",
    "10.0.0.3:1234",
    "hbone 10.0.0.3:15008 for 10.0.0.3:1234 from meshed",
    { source: { ...CLIENT, node: "n" } },
  ],
  ["host-network workload by its address", "10.0.0.10:80", "passthrough 10.0.0.10:80"],
  ["host-network workload by service", "10.1.0.11:80", "tcp 10.0.0.10:8080"],
  [
    "service with a port of its endpoint",
    "10.1.0.1:80",
    "hbone 10.0.1.1:15008 for 10.0.1.1:9090 from extra|one",
  ],
  ["service of plain endpoints", "10.1.0.2:80", "tcp 10.0.1.2:8080"],
  ["service without endpoints", "10.1.0.3:80", "refuse: no healthy upstream: 10.1.0.3:80"],
  ["service on a port it lacks", "10.1.0.1:81", "refuse: no healthy upstream: 10.1.0.1:81"],
  ["service of passthrough mode", "10.1.0.9:443", "passthrough 10.1.0.9:443"],
  [
    "service of passthrough mode with a waypoint",
    "10.1.0.10:443",
    "hbone 10.9.0.1:15008 for 10.1.0.10:443 from waypoint",
  ],
  ["service waypoint by address", "10.1.0.4:80", "hbone 10.9.0.1:15008 for 10.1.0.4:80 from waypoint"],
  ["service waypoint by name", "10.1.0.5:80", "hbone 10.9.0.1:15008 for 10.1.0.5:80 from wp-extra|waypoint"],
  [
    "service waypoint, on a port the service lacks",
    "10.1.0.5:81",
    "hbone 10.9.0.1:15008 for 10.1.0.5:81 from wp-extra|waypoint",
  ],
  ["service waypoint that is unknown", "10.1.0.6:80", "refuse: unknown waypoint: ns/nobody.ns"],
  [
    "service waypoint, when the waypoint itself calls",
    "10.1.0.4:80",
    "hbone 10.9.0.1:15008 for 10.1.0.4:80 from waypoint",
    { source: WAYPOINT },
  ],
  [
    "weighted waypoints, the small share",
    "10.1.0.20:80",
    "hbone 10.9.0.1:15008 for 10.1.0.20:80 from waypoint",
    { draws: { waypoint: 0.29, endpoint: 0 } },
  ],
  [
    "weighted waypoints, the large share",
    "10.1.0.20:80",
    "hbone 10.9.0.2:15008 for 10.1.0.20:80 from second-waypoint",
    { draws: { waypoint: 0.31, endpoint: 0 } },
  ],
  [
    "weighted waypoints, the share of one that is not there",
    "10.1.0.7:80",
    "hbone 10.9.0.1:15008 for 10.1.0.7:80 from waypoint",
    { draws: { waypoint: 0.09, endpoint: 0 } },
  ],
  ["weighted waypoints, none of them well", "10.1.0.21:80", "refuse: unknown waypoint: ns/sick.ns"],
  ["weighted waypoints, one switched off", "10.1.0.22:80", "refuse: unknown waypoint: ns/nobody.ns"],
  ["service waypoint without a healthy instance", "10.1.0.23:80", "refuse: unknown waypoint: ns/sick.ns"],
  ["weighted waypoints without weight", "10.1.0.8:80", "refuse: no healthy upstream: 10.1.0.8:80"],
  ["workload waypoint by address", "10.0.0.6:80", "hbone 10.9.0.1:15008 for 10.0.0.6:80 from waypoint"],
  ["workload waypoint by name", "10.0.0.7:80", "hbone 10.9.0.1:15008 for 10.0.0.7:80 from wp-extra|waypoint"],
  [
    "workload waypoint by VIP, workload plain",
    "10.0.0.8:80",
    "hbone 10.9.0.1:15008 for 10.0.0.8:80 from wp-extra|waypoint",
  ],
  ["workload waypoint that is unknown", "10.0.0.9:80", "refuse: unknown waypoint: /10.9.0.99"],
  [
    "from the waypoint to its workload",
    "10.0.0.6:80",
    "hbone 10.0.0.6:15008 for 10.0.0.6:80 from guarded",
    { source: WAYPOINT },
  ],
  [
    "from the waypoint by name to its workload",
    "10.0.0.7:80",
    "hbone 10.0.0.7:15008 for 10.0.0.7:80 from guarded-by-name",
    { source: WAYPOINT },
  ],
  [
    "from a pod with the waypoint's account only",
    "10.0.0.6:80",
    "hbone 10.9.0.1:15008 for 10.0.0.6:80 from waypoint",
    { source: { ...CLIENT, serviceAccount: "waypoint" } },
  ],
  [
    "endpoint in another network",
    "10.1.0.15:80",
    "double 172.16.0.1:15008 for far.ns:80 from gateway then behind",
  ],
  [
    "endpoint in another network without a gateway",
    "10.1.0.16:80",
    "refuse: no valid routing destination for workload: Kubernetes//Pod/ns/lost",
  ],
  [
    "endpoint behind an unknown gateway",
    "10.1.0.17:80",
    "refuse: unknown network gateway: remote/172.16.9.9",
  ],
  [
    "waypoint in another network",
    "10.1.0.18:80",
    "double 172.16.0.1:15008 for far-through.ns:80 from gateway then far",
  ],
  ["endpoint by host name", "10.1.0.12:80", "resolve db.example"],
  [
    "endpoint by host name, resolved",
    "10.1.0.12:80",
    "tcp 192.0.2.1:5432",
    { resolved: () => [ip("fd00::77"), ip("192.0.2.1")] },
  ],
  [
    "endpoint by host name, only of the other family",
    "10.1.0.12:80",
    "tcp [fd00::77]:5432",
    { resolved: () => [ip("fd00::77")] },
  ],
  [
    "endpoint by host name, no answer",
    "10.1.0.12:80",
    "refuse: no ip addresses were resolved for workload: Kubernetes//Pod/ns/named",
    { resolved: () => [] },
  ],
  [
    "meshed endpoint by host name",
    "10.1.0.13:80",
    "hbone 192.0.2.1:15008 for 192.0.2.1:5432 from named-meshed",
    { resolved: () => [ip("192.0.2.1")] },
  ],
  [
    "dual-stack workload by its IPv6 address",
    "[fd00::5]:80",
    "hbone [fd00::5]:15008 for [fd00::5]:80 from dual",
  ],
  ["dual-stack service by IPv4", "10.1.0.14:80", "hbone 10.0.0.5:15008 for 10.0.0.5:80 from dual"],
  ["dual-stack service by IPv6", "[fd00:1::14]:80", "hbone [fd00::5]:15008 for [fd00::5]:80 from dual"],
  [
    "IPv6-only service of a dual-stack workload",
    "10.1.0.19:80",
    "hbone [fd00::15]:15008 for [fd00::15]:80 from dual-b",
  ],
  ["another port on loopback", "127.0.0.1:8080", "passthrough 127.0.0.1:8080"],
  ["HBONE port of a stranger", "1.2.3.4:15008", "passthrough 1.2.3.4:15008"],
];
for (const [name, destination, want, given] of CASES)
  test(`findPath: ${name}`, () => assert.equal(sentence(decide(destination, given)), want));

test("the workload and the service that were meant are named for telemetry", () => {
  const named = (destination: string): unknown => {
    const decision = decide(destination);
    return "target" in decision ? [decision.target.workload?.name, decision.target.service?.name] : decision;
  };
  assert.deepEqual(named("10.1.0.1:80"), ["one", "web"]);
  assert.deepEqual(named("10.1.0.4:80"), ["waypoint", "through"]);
  assert.deepEqual(named("10.0.0.6:80"), ["waypoint", undefined]);
  assert.deepEqual(named("1.2.3.4:80"), [undefined, undefined]);
});

const byUid = (name: string): ReachedEndpoint["workload"] => {
  const workload = SNAPSHOT.workloads.get(`Kubernetes//Pod/ns/${name}`);
  assert.ok(workload);
  return workload;
};
const serviceOf = (name: string): ReachedEndpoint["service"] => SNAPSHOT.services.get(`ns/${name}.ns`);

/** What a waypoint asks, which has chosen the endpoint: no waypoint of the service or the workload stands between any more. */
const REACHED: readonly (readonly [
  name: string,
  workload: string,
  service: string | undefined,
  want: string,
])[] = [
  ["a meshed endpoint", "one", "web", "hbone 10.0.1.1:15008 for 10.0.1.1:9090 from extra|one"],
  ["a workload itself", "guarded", undefined, "hbone 10.0.0.6:15008 for 10.0.0.6:9090 from guarded"],
  ["a plain endpoint", "two", "plain-web", "tcp 10.0.1.2:9090"],
  ["an endpoint by host name", "named", "by-name", "resolve db.example"],
  [
    "an endpoint of another network",
    "behind",
    "far",
    "double 172.16.0.1:15008 for far.ns:80 from gateway then behind",
  ],
  [
    "a workload of another network",
    "behind",
    undefined,
    "refuse: no service for target address: Kubernetes//Pod/ns/behind",
  ],
  [
    "no gateway",
    "lost",
    "lost",
    "refuse: no valid routing destination for workload: Kubernetes//Pod/ns/lost",
  ],
];
for (const [name, workload, service, want] of REACHED)
  test(`reachEndpoint: ${name}`, () => {
    const path = reachEndpoint(
      SNAPSHOT,
      {
        source: WAYPOINT,
        hbonePort: 15008,
        draws: { waypoint: 0, endpoint: 0 },
        resolved: () => undefined,
      },
      {
        workload: byUid(workload),
        port: 9090,
        service: service === undefined ? undefined : serviceOf(service),
        requestedPort: 80,
        wanted: undefined,
      },
    );
    assert.equal(sentence(path), want);
  });
