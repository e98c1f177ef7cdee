/** A mesh with a workload or service of every kind that an outbound connection can meet. */

import {
  type AddressChange,
  applyAddressUpdates,
  EMPTY_SNAPSHOT,
  type GatewayAddress,
  ip,
  type MeshSnapshot,
  newService,
  newWorkload,
  type Port,
  type Service,
  type Workload,
} from "../index.ts";

const workload = (
  name: string,
  address: string | readonly string[],
  given: Partial<Workload> = {},
): Workload =>
  newWorkload({
    uid: `Kubernetes//Pod/ns/${name}`,
    name,
    namespace: "ns",
    serviceAccount: name,
    addresses: [address].flat().map(ip),
    ...given,
  });
const ports = (...pairs: [number, number][]): Port[] =>
  pairs.map(([servicePort, targetPort]) => ({ servicePort, targetPort, appProtocol: "unknown" }));
const backs = (service: string, ...pairs: [number, number][]): Partial<Workload> => ({
  services: new Map([[`ns/${service}.ns`, ports(...pairs)]]),
});
const service = (name: string, vip: string | undefined, given: Partial<Service> = {}): Service =>
  newService({
    name,
    namespace: "ns",
    hostname: `${name}.ns`,
    vips: vip === undefined ? [] : [{ network: "", ip: ip(vip) }],
    ports: ports([80, 8080]),
    ...given,
  });
const byIp = (address: string, network = "", hbonePort = 15008): GatewayAddress => ({
  destination: { kind: "address", network, ip: ip(address) },
  hbonePort,
});
const byHost = (hostname: string, hbonePort = 15008): GatewayAddress => ({
  destination: { kind: "hostname", namespace: "ns", hostname },
  hbonePort,
});

const HBONE = { tunnelProtocol: "hbone" } as const;
export const CLIENT: Workload = workload("client", "10.0.0.1");
export const WAYPOINT: Workload = workload("waypoint", "10.9.0.1", {
  serviceAccount: "waypoint",
  ...backs("wp", [15008, 15008]),
});
const WAYPOINT_SERVICE = service("wp", "10.8.0.1", {
  ports: ports([15008, 15008]),
  subjectAltNames: ["spiffe://cluster.local/ns/ns/sa/wp-extra", "not an identity"],
});
const REMOTE_GATEWAY = byIp("172.16.0.1", "remote");

/** The one mesh of the table; every row asks it one question. */
const MESH: readonly (Workload | Service)[] = [
  CLIENT,
  WAYPOINT,
  WAYPOINT_SERVICE,
  workload("plain", "10.0.0.2"),
  workload("meshed", "10.0.0.3", HBONE),
  workload("elsewhere", "10.0.0.4", { ...HBONE, network: "remote" }),
  workload("dual", ["10.0.0.5", "fd00::5"], { ...HBONE, ...backs("dual", [80, 80]) }),
  workload("guarded", "10.0.0.6", { ...HBONE, waypoint: byIp("10.9.0.1") }),
  workload("guarded-by-name", "10.0.0.7", { ...HBONE, waypoint: byHost("wp.ns") }),
  workload("guarded-by-vip", "10.0.0.8", { waypoint: byIp("10.8.0.1") }),
  workload("guarded-by-nobody", "10.0.0.9", { ...HBONE, waypoint: byIp("10.9.0.99") }),
  workload("host", "10.0.0.10", { networkMode: "hostNetwork", ...backs("hosted", [80, 8080]) }),
  workload("named", [], { hostname: "db.example", ...backs("by-name", [80, 5432]) }),
  workload("named-meshed", [], { ...HBONE, hostname: "db.example", ...backs("by-name-meshed", [80, 5432]) }),
  workload("one", "10.0.1.1", { ...HBONE, ...backs("web", [80, 9090]) }),
  workload("two", "10.0.1.2", backs("plain-web", [80, 8080])),
  workload("behind", [], {
    ...HBONE,
    network: "remote",
    networkGateway: REMOTE_GATEWAY,
    ...backs("far", [80, 8080]),
  }),
  workload("lost", "10.0.2.2", { network: "remote", ...backs("lost", [80, 8080]) }),
  workload("astray", "10.0.2.3", {
    network: "remote",
    networkGateway: byIp("172.16.9.9", "remote"),
    ...backs("astray", [80, 8080]),
  }),
  workload("gateway", "172.16.0.1", { network: "remote", serviceAccount: "gateway" }),
  workload("far-waypoint", "172.16.0.9", { network: "remote", networkGateway: REMOTE_GATEWAY }),
  service("web", "10.1.0.1", { subjectAltNames: ["spiffe://cluster.local/ns/ns/sa/extra"] }),
  service("plain-web", "10.1.0.2"),
  service("empty", "10.1.0.3"),
  service("through", "10.1.0.4", { waypoint: byIp("10.9.0.1") }),
  service("through-name", "10.1.0.5", { waypoint: byHost("wp.ns") }),
  service("through-nobody", "10.1.0.6", { waypoint: byHost("nobody.ns") }),
  service("canary", "10.1.0.7", {
    waypoint: byHost("nobody.ns"),
    weightedWaypoints: [
      { waypoint: byHost("nobody.ns"), weight: 10 },
      { waypoint: byIp("10.9.0.1"), weight: 90 },
    ],
  }),
  service("canary-zero", "10.1.0.8", { weightedWaypoints: [{ waypoint: byIp("10.9.0.1"), weight: 0 }] }),
  workload("second-waypoint", "10.9.0.2"),
  workload("sick-waypoint", "10.9.0.3", { status: "unhealthy", ...backs("sick", [15008, 15008]) }),
  service("sick", undefined, { ports: ports([15008, 15008]) }),
  service("canary-well", "10.1.0.20", {
    weightedWaypoints: [
      { waypoint: byIp("10.9.0.1"), weight: 30 },
      { waypoint: byIp("10.9.0.2"), weight: 70 },
    ],
  }),
  service("canary-none", "10.1.0.21", {
    weightedWaypoints: [
      { waypoint: byHost("sick.ns"), weight: 30 },
      { waypoint: byHost("nobody.ns"), weight: 70 },
    ],
  }),
  service("canary-off", "10.1.0.22", {
    weightedWaypoints: [
      { waypoint: byHost("nobody.ns"), weight: 100 },
      { waypoint: byIp("10.9.0.1"), weight: 0 },
    ],
  }),
  service("through-sick", "10.1.0.23", { waypoint: byHost("sick.ns") }),
  service("open", "10.1.0.9", {
    loadBalancing: { routingPreferences: [], mode: "passthrough", healthPolicy: "allowAll" },
  }),
  service("open-through", "10.1.0.10", {
    waypoint: byIp("10.9.0.1"),
    loadBalancing: { routingPreferences: [], mode: "passthrough", healthPolicy: "allowAll" },
  }),
  service("hosted", "10.1.0.11"),
  service("by-name", "10.1.0.12"),
  service("by-name-meshed", "10.1.0.13"),
  service("dual", "10.1.0.14", {
    ports: ports([80, 80]),
    ipFamilies: "dual",
    vips: [
      { network: "", ip: ip("10.1.0.14") },
      { network: "", ip: ip("fd00:1::14") },
    ],
  }),
  service("far", "10.1.0.15", { subjectAltNames: ["spiffe://cluster.local/ns/ns/sa/behind"] }),
  service("lost", "10.1.0.16"),
  service("astray", "10.1.0.17"),
  service("far-through", "10.1.0.18", {
    waypoint: byIp("172.16.0.9", "remote"),
    subjectAltNames: ["spiffe://cluster.local/ns/ns/sa/far"],
  }),
  service("dual-v6", "10.1.0.19", { ports: ports([80, 80]), ipFamilies: "ipv6" }),
  workload("dual-b", ["10.0.0.15", "fd00::15"], { ...HBONE, ...backs("dual-v6", [80, 80]) }),
];

export const SNAPSHOT: MeshSnapshot = applyAddressUpdates(
  EMPTY_SNAPSHOT,
  MESH.map(
    (item): AddressChange =>
      "uid" in item ? { kind: "workload", workload: item } : { kind: "service", service: item },
  ),
);
