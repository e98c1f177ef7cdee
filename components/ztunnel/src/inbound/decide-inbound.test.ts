import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type AddressChange,
  applyAddressUpdates,
  EMPTY_SNAPSHOT,
  formatSocketAddress,
  type GatewayAddress,
  ip,
  newService,
  newWorkload,
  type Port,
  type Service,
  type Workload,
} from "@meltemi/model";
import { ISTIO_PORTS } from "../ports.ts";
import { decideInbound, decidePlaintextInbound, inboundService } from "./decide-inbound.ts";

const ports = (...pairs: [number, number][]): Port[] =>
  pairs.map(([servicePort, targetPort]) => ({ servicePort, targetPort, appProtocol: "unknown" }));
const workload = (name: string, address: string, given: Partial<Workload> = {}): Workload =>
  newWorkload({
    uid: name,
    name,
    namespace: "ns",
    addresses: [ip(address)],
    tunnelProtocol: "hbone",
    ...given,
  });
const service = (name: string, vips: readonly string[], given: Partial<Service> = {}): Service =>
  newService({
    name,
    namespace: "ns",
    hostname: `${name}.ns`,
    vips: vips.map((vip) => ({ network: "", ip: ip(vip) })),
    ports: ports([80, 8080], [81, 0]),
    ...given,
  });
const at = (address: string): GatewayAddress => ({
  destination: { kind: "address", network: "", ip: ip(address) },
  hbonePort: 15008,
});
const named = (hostname: string): GatewayAddress => ({
  destination: { kind: "hostname", namespace: "ns", hostname },
  hbonePort: 15008,
});
const webPorts = new Map([["ns/web.ns", ports([81, 8181])]]);

const POD = workload("pod", "10.0.0.1", { services: webPorts });
const WAYPOINT = workload("waypoint", "10.0.0.2", {
  services: new Map([["ns/wp.ns", ports([15008, 15008])]]),
});
const TUNNEL = (protocol: "proxy" | "none", port: number): Workload =>
  workload("tunnel", "10.0.0.3", { applicationTunnel: { protocol, port }, services: webPorts });

const MESH: readonly (Workload | Service)[] = [
  POD,
  WAYPOINT,
  workload("behind-ip", "10.0.1.1", { waypoint: at("10.0.0.2") }),
  workload("behind-vip", "10.0.1.2", { waypoint: at("10.2.0.1") }),
  workload("behind-name", "10.0.1.3", { waypoint: named("wp.ns") }),
  workload("behind-other", "10.0.1.4", { waypoint: at("10.0.0.99") }),
  workload("behind-nobody", "10.0.1.5", { waypoint: named("nobody.ns") }),
  workload("alone", "10.0.1.6"),
  workload("named-waypoint", "10.0.0.4", { hostname: "waypoint.host" }),
  workload("behind-host", "10.0.1.7", { waypoint: named("waypoint.host") }),
  service("web", ["fd00::1", "10.1.0.1"]),
  service("bare", []),
  service("through", ["10.1.0.2"], { waypoint: at("10.0.0.2") }),
  service("canary", ["10.1.0.4"], { weightedWaypoints: [{ waypoint: at("10.0.0.2"), weight: 1 }] }),
  service("plain", ["10.1.0.3"]),
  service("wp", ["10.2.0.1"], { ports: ports([15008, 15008]) }),
];
const SNAPSHOT = applyAddressUpdates(
  EMPTY_SNAPSHOT,
  MESH.map(
    (item): AddressChange =>
      "uid" in item ? { kind: "workload", workload: item } : { kind: "service", service: item },
  ),
);

function decide(local: Workload, authority: string, localhost = true): string {
  const decision = decideInbound(SNAPSHOT, {
    workload: local,
    localIp: local.addresses[0] ?? ip("0.0.0.0"),
    authority,
    network: "",
    ports: ISTIO_PORTS,
    localhostApplicationTunnel: localhost,
  });
  if (decision.kind === "refuse") return `${decision.status} ${decision.message}`;
  const proxied =
    decision.proxyDestination === undefined
      ? ""
      : ` with PROXY to ${formatSocketAddress(decision.proxyDestination)}`;
  return `${formatSocketAddress(decision.address)}${proxied}${decision.keepSourceAddress ? "" : " as ourselves"}`;
}

const NAMED_WAYPOINT = workload("named-waypoint", "10.0.0.4", { hostname: "waypoint.host" });
for (const [name, local, authority, want] of [
  ["own address", POD, "10.0.0.1:8080", "10.0.0.1:8080"],
  ["own IPv6 address", workload("six", "fd00::9"), "[fd00::9]:80", "[fd00::9]:80"],
  [
    "not an authority",
    POD,
    "nonsense",
    '400 invalid authority: expected ip:port or host:port, got "nonsense"',
  ],
  ["no port", POD, "10.0.0.1", '400 invalid authority: expected ip:port or host:port, got "10.0.0.1"'],
  ["unknown address", POD, "9.9.9.9:80", "400 ip mismatch: 10.0.0.1 != 9.9.9.9"],
  ["address of another workload", POD, "10.0.1.6:80", "400 ip mismatch: 10.0.0.1 != 10.0.1.6"],
  ["VIP of a service it backs", POD, "10.1.0.1:80", "400 ip mismatch: 10.0.0.1 != 10.1.0.1"],
  ["waypoint by address, of a workload", WAYPOINT, "10.0.1.1:80", "10.0.0.2:80"],
  ["waypoint by VIP, of a workload", WAYPOINT, "10.0.1.2:80", "10.0.0.2:80"],
  ["waypoint by name, of a workload", WAYPOINT, "10.0.1.3:80", "10.0.0.2:80"],
  ["waypoint by workload host name", NAMED_WAYPOINT, "10.0.1.7:80", "10.0.0.4:80"],
  ["waypoint of a service", WAYPOINT, "10.1.0.2:80", "10.0.0.2:80"],
  ["workload of another waypoint", WAYPOINT, "10.0.1.4:80", "400 ip mismatch: 10.0.0.2 != 10.0.1.4"],
  ["workload of an unknown waypoint", WAYPOINT, "10.0.1.5:80", "400 ip mismatch: 10.0.0.2 != 10.0.1.5"],
  ["service without a waypoint", WAYPOINT, "10.1.0.3:80", "400 ip mismatch: 10.0.0.2 != 10.1.0.3"],
  ["one of several waypoints of a service", WAYPOINT, "10.1.0.4:80", "10.0.0.2:80"],
  ["not the waypoint", POD, "10.0.1.1:80", "400 ip mismatch: 10.0.0.1 != 10.0.1.1"],
  ["host name of a service, port mapped by the service", POD, "web.ns:80", "10.0.0.1:8080"],
  ["host name of a service, named port", POD, "web.ns:81", "10.0.0.1:8181"],
  [
    "host name, named port that the endpoint lacks",
    WAYPOINT,
    "web.ns:81",
    "503 requested service web.ns:81 found, but cannot resolve port",
  ],
  [
    "host name, unknown port",
    POD,
    "web.ns:82",
    "503 requested service web.ns:82 found, but cannot resolve port",
  ],
  ["unknown host name", POD, "nobody.ns:80", "503 no service or workload for hostname: nobody.ns"],
  ["own HBONE port", POD, "10.0.0.1:15008", "503 attempted recursive call to ourselves"],
  ["own plaintext port", POD, "10.0.0.1:15006", "503 attempted recursive call to ourselves"],
  ["own outbound port", POD, "10.0.0.1:15001", "503 attempted recursive call to ourselves"],
  [
    "the DNS proxy's port, where no listener of ours can call itself",
    POD,
    "10.0.0.1:15053",
    "10.0.0.1:15053",
  ],
  ["tunnel without header", TUNNEL("none", 15088), "9.9.9.9:80", "10.0.0.3:15088"],
  ["tunnel without header or port", TUNNEL("none", 0), "9.9.9.9:80", "10.0.0.3:80"],
  [
    "tunnel with PROXY",
    TUNNEL("proxy", 15088),
    "9.9.9.9:80",
    "127.0.0.1:15088 with PROXY to 9.9.9.9:80 as ourselves",
  ],
  [
    "tunnel with PROXY, by host name",
    TUNNEL("proxy", 15088),
    "web.ns:80",
    "127.0.0.1:15088 with PROXY to 10.1.0.1:80 as ourselves",
  ],
  [
    "tunnel with PROXY, host name without VIP",
    TUNNEL("proxy", 15088),
    "bare.ns:80",
    "503 requested service bare.ns found, but has no IP addresses",
  ],
  [
    "tunnel into ourselves",
    TUNNEL("proxy", 15008),
    "9.9.9.9:80",
    "503 attempted recursive call to ourselves",
  ],
] as const)
  test(`decideInbound: ${name}`, () => assert.equal(decide(local, authority), want));

test("a PROXY tunnel may be reached on the pod's address", () => {
  assert.equal(
    decide(TUNNEL("proxy", 15088), "9.9.9.9:80", false),
    "10.0.0.3:15088 with PROXY to 9.9.9.9:80",
  );
});

for (const [port, want] of [
  [15020, "connect"],
  [15000, "503 port 15000 is not served here"],
  [15008, "503 attempted recursive call to ourselves"],
] as const)
  test(`a listener for one port only: ${port}`, () => {
    const decision = decideInbound(SNAPSHOT, {
      workload: POD,
      localIp: ip("10.0.0.1"),
      authority: `10.0.0.1:${port}`,
      network: "",
      ports: ISTIO_PORTS,
      onlyPort: 15020,
      localhostApplicationTunnel: true,
    });
    assert.equal(decision.kind === "refuse" ? `${decision.status} ${decision.message}` : decision.kind, want);
  });

for (const [port, want] of [
  [8080, "connect"],
  [15001, "refuse"],
  [15006, "refuse"],
  [15008, "refuse"],
] as const)
  test(`decidePlaintextInbound: port ${port}`, () =>
    assert.equal(decidePlaintextInbound(ISTIO_PORTS, { ip: ip("10.0.0.1"), port }).kind, want));

for (const [name, port, host, want] of [
  ["by the host that was meant", 1, "web.ns", "web"],
  ["by target port", 8080, undefined, "web"],
  ["by target port of the endpoint", 8181, undefined, "web"],
  ["by target port when the host is a stranger", 8080, "other.ns", "web"],
  ["none", 1, undefined, undefined],
  ["never a service that it does not back", 1, "plain.ns", undefined],
] as const)
  test(`inboundService: ${name}`, () => assert.equal(inboundService(SNAPSHOT, POD, port, host)?.name, want));
