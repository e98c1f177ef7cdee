/** Facts with sane defaults for tests: a test says only what it is about. */

import { ip } from "@meltemi/model";
import type {
  AllowedNamespaces,
  AuthorizationPolicyFacts,
  EndpointFacts,
  GatewayClassFacts,
  NamespaceFacts,
  PeerAuthenticationFacts,
  PodFacts,
  ServiceEntryFacts,
  ServiceFacts,
  WaypointFacts,
  WaypointListenerFacts,
} from "./facts.ts";
import { DEFAULT_TRAFFIC } from "./l7/traffic-settings.ts";
import type { CompileSettings } from "./settings.ts";

export const SETTINGS: CompileSettings = {
  clusterId: "Kubernetes",
  trustDomain: "cluster.local",
  rootNamespace: "istio-system",
  clusterDomain: "cluster.local",
  dryRunPolicies: false,
  traffic: DEFAULT_TRAFFIC,
};

export function podFacts(fields: Partial<PodFacts> = {}): PodFacts {
  return {
    namespace: "ns",
    name: "a",
    labels: {},
    waypoint: {},
    ips: [ip("10.0.0.1")],
    terminated: false,
    healthy: true,
    hostNetwork: false,
    node: "node-a",
    serviceAccount: "default",
    captured: false,
    workloadName: "a",
    namedPorts: {},
    ...fields,
  };
}

export function serviceFacts(fields: Partial<ServiceFacts> = {}): ServiceFacts {
  return {
    namespace: "ns",
    name: "svc",
    labels: {},
    waypoint: {},
    selector: {},
    vips: [ip("10.96.0.1")],
    ports: [{ name: "http", port: 80, targetPort: 8080, appProtocol: "http11" }],
    ipFamilies: "ipv4",
    publishNotReady: false,
    localTrafficOnly: false,
    trafficDistribution: "any",
    ...fields,
  };
}

export function namespaceFacts(fields: Partial<NamespaceFacts> = {}): NamespaceFacts {
  return { name: "ns", labels: {}, waypoint: {}, network: "", ...fields };
}

export function serviceEntryFacts(fields: Partial<ServiceEntryFacts> = {}): ServiceEntryFacts {
  return {
    namespace: "ns",
    name: "se",
    createdMs: 0,
    labels: {},
    waypoint: {},
    hosts: ["a.example"],
    addresses: [],
    allocatedAddresses: [],
    ports: [{ name: "http", port: 80, targetPort: "http", appProtocol: "http11" }],
    location: "external",
    resolution: "static",
    endpoints: [],
    workloadSelector: undefined,
    subjectAltNames: [],
    trafficDistribution: "any",
    ...fields,
  };
}

export function endpointFacts(fields: Partial<EndpointFacts> = {}): EndpointFacts {
  return {
    address: { kind: "ip", ip: ip("192.0.2.1") },
    labels: {},
    ports: {},
    network: "",
    locality: "",
    weight: 1,
    serviceAccount: "",
    ...fields,
  };
}

export function waypointFacts(fields: Partial<WaypointFacts> = {}): WaypointFacts {
  return {
    namespace: "ns",
    name: "waypoint",
    className: "istio-waypoint",
    trafficType: undefined,
    inboundBinding: undefined,
    serviceAccount: fields.name ?? "waypoint",
    addresses: [{ kind: "hostname", hostname: "waypoint.ns.svc.cluster.local" }],
    listeners: [meshListener({ kind: "same" })],
    ...fields,
  };
}

export function meshListener(allowedNamespaces: AllowedNamespaces): WaypointListenerFacts {
  return { port: 15008, protocol: "HBONE", allowedNamespaces };
}

export function gatewayClassFacts(fields: Partial<GatewayClassFacts> = {}): GatewayClassFacts {
  return {
    name: "istio-waypoint",
    controllerName: "istio.io/mesh-controller",
    trafficType: undefined,
    inboundBinding: undefined,
    ...fields,
  };
}

export function peerAuthenticationFacts(
  fields: Partial<PeerAuthenticationFacts> = {},
): PeerAuthenticationFacts {
  return {
    namespace: "ns",
    name: "pa",
    createdMs: 0,
    selector: {},
    mode: "strict",
    portModes: [],
    ...fields,
  };
}

export function authorizationPolicyFacts(
  fields: Partial<AuthorizationPolicyFacts> = {},
): AuthorizationPolicyFacts {
  return {
    namespace: "ns",
    name: "ap",
    generation: 1,
    selector: {},
    targetRefs: [],
    action: "ALLOW",
    dryRun: false,
    rules: [],
    ...fields,
  };
}
