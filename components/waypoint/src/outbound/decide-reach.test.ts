import assert from "node:assert/strict";
import { test } from "node:test";
import {
  applyAddressUpdates,
  EMPTY_SNAPSHOT,
  formatSocketAddress,
  ip,
  newService,
  newWorkload,
  type Workload,
} from "@meltemi/model";
import type { Self } from "../world/self.ts";
import { EMPTY_WORLD } from "../world/world.ts";
import { decideReach, type Reach, type ReachRequest } from "./decide-reach.ts";

const workload = (name: string, address: string | undefined, given: Partial<Workload> = {}): Workload =>
  newWorkload({
    uid: name,
    name,
    namespace: "ns",
    serviceAccount: name,
    addresses: address === undefined ? [] : [ip(address)],
    ...given,
  });
const HBONE = { tunnelProtocol: "hbone" } as const;
const MESHED = workload("meshed", "10.0.0.1", HBONE);
const GUARDED = workload("guarded", "10.0.0.2", {
  ...HBONE,
  waypoint: { destination: { kind: "hostname", namespace: "ns", hostname: "other" }, hbonePort: 15008 },
});
const PLAIN = workload("plain", "10.0.0.3");
const NAMED = workload("named", undefined, { hostname: "db.example" });
const NAMED_MESHED = workload("named-meshed", undefined, { ...HBONE, hostname: "vm.example" });
const FAR = workload("far", "10.0.0.4", {
  network: "far",
  networkGateway: {
    destination: { kind: "address", network: "far", ip: ip("172.16.0.1") },
    hbonePort: 15008,
  },
});
const GATEWAY = workload("gateway", "172.16.0.1", { network: "far" });
const SERVICE = newService({ name: "web", namespace: "ns", hostname: "web.ns" });

const WORLD = {
  ...EMPTY_WORLD,
  snapshot: applyAddressUpdates(EMPTY_SNAPSHOT, [
    ...[MESHED, GUARDED, PLAIN, NAMED, NAMED_MESHED, FAR, GATEWAY].map(
      (each) => ({ kind: "workload", workload: each }) as const,
    ),
    { kind: "service", service: SERVICE },
  ]),
};
const SELF: Self = {
  pod: { name: "waypoint", namespace: "ns", serviceAccount: "waypoint" },
  identity: { trustDomain: "cluster.local", namespace: "ns", serviceAccount: "waypoint" },
  place: { node: "a", network: "", clusterId: "Kubernetes" },
};

function sentence(reach: Reach): string {
  if (reach.kind === "unreachable") return reach.detail;
  if (reach.kind === "hostname") return `resolve ${reach.hostname}`;
  const { path } = reach;
  const to = `${path.kind} ${formatSocketAddress(path.address)}`;
  if (path.kind === "hbone")
    return `${to} for ${path.authority} from ${path.expected.map((each) => each.serviceAccount)}`;
  return path.kind === "doubleHbone" ? `${to} for ${path.authority}` : to;
}

const CASES: readonly (readonly [name: string, request: Partial<ReachRequest>, want: string])[] = [
  ["meshed", { workload: MESHED, ip: ip("10.0.0.1") }, "hbone 10.0.0.1:15008 for 10.0.0.1:80 from meshed"],
  [
    "bound to a waypoint of its own: that is for those who dial it by its address",
    { workload: GUARDED, ip: ip("10.0.0.2") },
    "hbone 10.0.0.2:15008 for 10.0.0.2:80 from guarded",
  ],
  ["plain", { workload: PLAIN, ip: ip("10.0.0.3") }, "tcp 10.0.0.3:80"],
  [
    "an address that is a workload's",
    { ip: ip("10.0.0.1") },
    "hbone 10.0.0.1:15008 for 10.0.0.1:80 from meshed",
  ],
  ["an address that nobody knows", { ip: ip("192.0.2.1") }, "passthrough 192.0.2.1:80"],
  ["neither address nor workload", {}, "endpoint has neither an address nor a host name"],
  ["a host name", { workload: NAMED }, "resolve db.example"],
  ["a host name, resolved", { workload: NAMED, resolved: [ip("192.0.2.2")] }, "tcp 192.0.2.2:80"],
  [
    "a host name that is meshed, resolved",
    { workload: NAMED_MESHED, resolved: [ip("192.0.2.3")] },
    "hbone 192.0.2.3:15008 for 192.0.2.3:80 from named-meshed",
  ],
  [
    "a host name without addresses",
    { workload: NAMED, resolved: [] },
    "no ip addresses were resolved for workload: named",
  ],
  ["another network", { workload: FAR, ip: ip("10.0.0.4") }, "doubleHbone 172.16.0.1:15008 for web.ns:8080"],
  [
    "another network, of no service that is known",
    { workload: FAR, ip: ip("10.0.0.4"), service: { namespace: "", hostname: "" } },
    "no service for target address: 10.0.0.4:8080",
  ],
];
for (const [name, given, want] of CASES)
  test(`decideReach: ${name}`, () => {
    const request = {
      ip: undefined,
      port: 80,
      workload: undefined,
      service: SERVICE,
      servicePort: 8080,
      hbonePort: 15008,
      ...given,
    };
    assert.equal(sentence(decideReach(WORLD, SELF, request, () => 0)), want);
  });
