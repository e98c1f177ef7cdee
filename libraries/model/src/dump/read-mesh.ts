/** Workloads and services in the words of the config dump (reference: protocol §8.2), which are those of local configuration too. */

import { type Ip, ipBytes, parseCidr, parseIp } from "../address.ts";
import {
  type GatewayAddress,
  newService,
  newWorkload,
  type Port,
  type Service,
  type WeightedWaypoint,
  type Workload,
} from "../workload.ts";
import type { Shape } from "./shape.ts";

/** `services` is what its ports are at each service: local configuration and dumps say it in different places. */
export function readWorkload(shape: Shape, services: Workload["services"]): Workload {
  const network = shape.text("network", "");
  const waypoint = shape.optional("waypoint", readGateway);
  const networkGateway = shape.optional("networkGateway", readGateway);
  const tunnel = shape.optional("applicationTunnel", (inner) => ({
    protocol: inner.choice("protocol", { PROXY: "proxy", NONE: "none" } as const, "none"),
    port: inner.integer("port", 0, 65_535),
    ...inner.closed(),
  }));
  const workload = newWorkload({
    uid: shape.required("uid"),
    name: shape.required("name"),
    namespace: shape.required("namespace"),
    serviceAccount: shape.text("serviceAccount", "default"),
    trustDomain: shape.text("trustDomain", "cluster.local"),
    addresses: shape.texts("workloadIps").map((text) => readIp(shape, "workloadIps", text)),
    hostname: shape.text("hostname", ""),
    network,
    tunnelProtocol: shape.choice("protocol", { TCP: "none", HBONE: "hbone" } as const, "none"),
    networkMode: shape.choice(
      "networkMode",
      { Standard: "standard", HostNetwork: "hostNetwork" } as const,
      "standard",
    ),
    nativeTunnel: shape.flag("nativeTunnel", false),
    node: shape.text("node", ""),
    workloadName: shape.text("workloadName", ""),
    workloadType: shape.choice(
      "workloadType",
      { deployment: "deployment", cronjob: "cronjob", pod: "pod", job: "job" } as const,
      "deployment",
    ),
    canonicalName: shape.text("canonicalName", ""),
    canonicalRevision: shape.text("canonicalRevision", ""),
    clusterId: shape.text("clusterId", "Kubernetes"),
    authorizationPolicies: shape.texts("authorizationPolicies"),
    status: shape.choice("status", { Healthy: "healthy", Unhealthy: "unhealthy" } as const, "healthy"),
    capacity: shape.integer("capacity", 1, 2 ** 32 - 1),
    locality: shape.optional("locality", (inner) => ({
      region: inner.text("region", ""),
      zone: inner.text("zone", ""),
      subzone: inner.text("subzone", ""),
      ...inner.closed(),
    })) ?? { region: "", zone: "", subzone: "" },
    services,
    ...(waypoint && { waypoint }),
    ...(networkGateway && { networkGateway }),
    ...(tunnel && { applicationTunnel: tunnel }),
  });
  shape.end();
  return workload;
}

export function readService(shape: Shape): Service {
  const waypoint = shape.optional("waypoint", readGateway);
  const service = newService({
    name: shape.required("name"),
    namespace: shape.required("namespace"),
    hostname: shape.required("hostname"),
    vips: shape.texts("vips").map((text) => readNetworkIp(shape, "vips", text)),
    cidrVips: shape.texts("cidrVips").map((text) => readNetworkCidr(shape, text)),
    ports: shape.optional("ports", readPorts) ?? [],
    subjectAltNames: shape.texts("subjectAltNames"),
    canonical: shape.flag("canonical", false),
    visibility: shape.choice("visibility", { Public: "public", Namespace: "namespace" } as const, "public"),
    ipFamilies: shape.choice(
      "ipFamilies",
      { Dual: "dual", IPv4: "ipv4", IPv6: "ipv6" } as const,
      "automatic",
    ),
    loadBalancing: shape.optional("loadBalancer", readLoadBalancer) ?? DEFAULT_LOAD_BALANCING,
    weightedWaypoints: shape.list("weightedWaypoints").map(readWeightedWaypoint),
    ...(waypoint && { waypoint }),
  });
  shape.end();
  return service;
}

const DEFAULT_LOAD_BALANCING: Service["loadBalancing"] = {
  routingPreferences: [],
  mode: "standard",
  healthPolicy: "onlyHealthy",
};

const SCOPES = {
  Region: "region",
  Zone: "zone",
  Subzone: "subzone",
  Node: "node",
  Cluster: "cluster",
  Network: "network",
} as const;

function readLoadBalancer(shape: Shape): Service["loadBalancing"] {
  return {
    routingPreferences: shape.choices("routingPreferences", SCOPES),
    mode: shape.choice(
      "mode",
      { Standard: "standard", Strict: "strict", Failover: "failover", Passthrough: "passthrough" } as const,
      "standard",
    ),
    healthPolicy: shape.choice(
      "healthPolicy",
      { OnlyHealthy: "onlyHealthy", AllowAll: "allowAll" } as const,
      "onlyHealthy",
    ),
    ...shape.closed(),
  };
}

/** `{ <service port>: <target port> }`. */
export function readPorts(shape: Shape): Port[] {
  return shape.numbers(65_535).map(([servicePort, targetPort]) => ({
    servicePort,
    targetPort,
    appProtocol: "unknown",
  }));
}

/** `{ destination: "<network>/<ip>" or "<namespace>/<host>", hboneMtlsPort }`. */
function readGateway(shape: Shape): GatewayAddress {
  const gateway = readGatewayKeys(shape);
  shape.end();
  return gateway;
}

function readWeightedWaypoint(shape: Shape): WeightedWaypoint {
  const waypoint = readGatewayKeys(shape);
  const weight = shape.integer("weight", 1, 2 ** 32 - 1);
  shape.end();
  return { waypoint, weight };
}

function readGatewayKeys(shape: Shape): GatewayAddress {
  const text = shape.required("destination");
  const hbonePort = shape.integer("hboneMtlsPort", 15008, 65_535);
  const slash = text.indexOf("/");
  const [scope, name] = [text.slice(0, Math.max(0, slash)), text.slice(slash + 1)];
  const ip = parseIp(name);
  if (slash < 0) shape.problem("destination", "network/ip or namespace/hostname", text);
  return ip === undefined
    ? { destination: { kind: "hostname", namespace: scope, hostname: name }, hbonePort }
    : { destination: { kind: "address", network: scope, ip }, hbonePort };
}

function readNetworkIp(shape: Shape, key: string, text: string): Service["vips"][number] {
  const slash = text.indexOf("/");
  return {
    network: text.slice(0, Math.max(0, slash)),
    ip: readIp(shape, key, text.slice(slash + 1)),
  };
}

function readNetworkCidr(shape: Shape, text: string): Service["cidrVips"][number] {
  const slash = text.indexOf("/");
  const network = parseCidr(text.slice(slash + 1));
  if (network === undefined) shape.problem("cidrVips", "network/address/length", text);
  return {
    network: text.slice(0, Math.max(0, slash)),
    cidr: network ?? { bytes: ipBytes(NOWHERE), prefixLength: 32 },
  };
}

const NOWHERE = "0.0.0.0" as Ip;

function readIp(shape: Shape, key: string, text: string): Ip {
  const ip = parseIp(text);
  if (ip === undefined) shape.problem(key, "an IP address", text);
  return ip ?? NOWHERE;
}
