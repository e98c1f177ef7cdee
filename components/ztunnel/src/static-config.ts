/**
 * Local configuration in YAML (`LOCAL_XDS_PATH`, `LOCAL_XDS`; reference: protocol §8.4): the mesh of a test or of a single
 * machine, in the words of the config dump. Unknown keys are refused, with the path to them.
 */

import {
  type GatewayAddress,
  type Ip,
  ipBytes,
  newService,
  newWorkload,
  type Policy,
  type PolicyMatch,
  type Port,
  parseCidr,
  parseIp,
  type Service,
  type StringMatch,
  type Workload,
} from "@meltemi/model";
import { MeshError } from "@meltemi/runtime";
import { parse } from "yaml";
import { Shape } from "./static-shape.ts";

export interface StaticConfig {
  readonly workloads: readonly Workload[];
  readonly services: readonly Service[];
  readonly policies: readonly Policy[];
}

/** Throws CONFIG_INVALID with every fault and where it stands. */
export function parseStaticConfig(text: string, origin: string): StaticConfig {
  let raw: unknown;
  try {
    // Aliases can multiply a small text into gigabytes; nobody needs one here.
    raw = parse(text, { maxAliasCount: 0, logLevel: "error" });
  } catch (cause) {
    throw new MeshError("CONFIG_INVALID", `read ${origin}: not YAML`, { cause });
  }
  const problems: string[] = [];
  const root = new Shape(raw ?? {}, "", problems);
  const config: StaticConfig = {
    workloads: root.list("workloads").map(readWorkload),
    services: root.list("services").map(readService),
    policies: root.list("policies").map(readPolicy),
  };
  root.end();
  if (problems.length > 0) throw new MeshError("CONFIG_INVALID", `read ${origin}: ${problems.join("; ")}`);
  return config;
}

function readWorkload(shape: Shape): Workload {
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
    services: new Map(shape.entries("services").map(([key, inner]) => [key, readPorts(inner)] as const)),
    ...(waypoint && { waypoint }),
    ...(networkGateway && { networkGateway }),
    ...(tunnel && { applicationTunnel: tunnel }),
  });
  shape.end();
  return workload;
}

function readService(shape: Shape): Service {
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
function readPorts(shape: Shape): Port[] {
  return shape.numbers(65_535).map(([servicePort, targetPort]) => ({
    servicePort,
    targetPort,
    appProtocol: "unknown",
  }));
}

/** `{ destination: "<network>/<ip>" or "<namespace>/<host>", hboneMtlsPort }`. */
function readGateway(shape: Shape): GatewayAddress {
  const text = shape.required("destination");
  const hbonePort = shape.integer("hboneMtlsPort", 15008, 65_535);
  shape.end();
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

function readPolicy(shape: Shape): Policy {
  const policy: Policy = {
    name: shape.required("name"),
    namespace: shape.required("namespace"),
    scope: shape.choice(
      "scope",
      { Global: "global", Namespace: "namespace", WorkloadSelector: "workloadSelector" } as const,
      "namespace",
    ),
    action: shape.choice("action", { Allow: "allow", Deny: "deny" } as const, "allow"),
    dryRun: shape.flag("dryRun", false),
    rules: shape.list("rules").map((rule) => rule.items().map((clause) => clause.items().map(readMatch))),
  };
  shape.end();
  return policy;
}

function readMatch(shape: Shape): PolicyMatch {
  const networks = (key: string) =>
    shape.texts(key).flatMap((text) => {
      const network = parseCidr(text);
      if (network === undefined) shape.problem(key, "an address or a network", text);
      return network ?? [];
    });
  const accounts = (key: string) =>
    shape.list(key).map((inner) => ({
      namespace: inner.required("namespace"),
      serviceAccount: inner.required("serviceAccount"),
      ...inner.closed(),
    }));
  const match: PolicyMatch = {
    namespaces: shape.list("namespaces").map(readStringMatch),
    notNamespaces: shape.list("notNamespaces").map(readStringMatch),
    principals: shape.list("principals").map(readStringMatch),
    notPrincipals: shape.list("notPrincipals").map(readStringMatch),
    sourceIps: networks("sourceIps"),
    notSourceIps: networks("notSourceIps"),
    destinationIps: networks("destinationIps"),
    notDestinationIps: networks("notDestinationIps"),
    destinationPorts: shape.integers("destinationPorts", 65_535),
    notDestinationPorts: shape.integers("notDestinationPorts", 65_535),
    serviceAccounts: accounts("serviceAccounts"),
    notServiceAccounts: accounts("notServiceAccounts"),
  };
  shape.end();
  return match;
}

/** `{Exact: …}`, `{Prefix: …}`, `{Suffix: …}` or `{Presence: []}`, as in dumps. */
function readStringMatch(shape: Shape): StringMatch {
  const exact = shape.optionalText("Exact");
  const prefix = shape.optionalText("Prefix");
  const suffix = shape.optionalText("Suffix");
  const presence = shape.has("Presence");
  shape.end();
  if (exact !== undefined) return { kind: "exact", value: exact };
  if (prefix !== undefined) return { kind: "prefix", value: prefix };
  if (suffix !== undefined) return { kind: "suffix", value: suffix };
  if (!presence) shape.problem("", "Exact, Prefix, Suffix or Presence", "none of them");
  return { kind: "presence" };
}
