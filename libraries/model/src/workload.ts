/** A workload and a service as the data plane knows them (reference: protocol §3.2, §3.3, §8.2). All values are immutable. */

import type { Cidr, Ip } from "./address.ts";
import { DEFAULT_TRUST_DOMAIN, type Identity } from "./identity.ts";

/** `network/ip`: the key under which addresses of different networks may overlap. */
export interface NetworkAddress {
  readonly network: string;
  readonly ip: Ip;
}

export interface NamespacedHostname {
  readonly namespace: string;
  readonly hostname: string;
}

/** Where a waypoint or a network gateway is found. */
export interface GatewayAddress {
  readonly destination:
    | ({ readonly kind: "address" } & NetworkAddress)
    | ({ readonly kind: "hostname" } & NamespacedHostname);
  readonly hbonePort: number;
}

export interface WeightedWaypoint {
  readonly waypoint: GatewayAddress;
  readonly weight: number;
}

export interface Locality {
  readonly region: string;
  readonly zone: string;
  readonly subzone: string;
}

export type TunnelProtocol = "none" | "hbone";
export type WorkloadType = "deployment" | "cronjob" | "pod" | "job";
export type AppProtocol = "unknown" | "http11" | "http2" | "grpc" | "tcp" | "tls";

export interface Port {
  readonly servicePort: number;
  /** Zero on a service means a named port, resolved on each endpoint. */
  readonly targetPort: number;
  readonly appProtocol: AppProtocol;
}

export interface ApplicationTunnel {
  readonly protocol: "none" | "proxy";
  /** Zero: the port of the request is kept. */
  readonly port: number;
}

export interface Workload {
  readonly uid: string;
  readonly name: string;
  readonly namespace: string;
  readonly addresses: readonly Ip[];
  readonly hostname: string;
  readonly network: string;
  readonly networkGateway?: GatewayAddress;
  readonly networkMode: "standard" | "hostNetwork";
  readonly tunnelProtocol: TunnelProtocol;
  readonly nativeTunnel: boolean;
  readonly trustDomain: string;
  readonly serviceAccount: string;
  readonly waypoint?: GatewayAddress;
  readonly node: string;
  readonly canonicalName: string;
  readonly canonicalRevision: string;
  readonly workloadType: WorkloadType;
  readonly workloadName: string;
  readonly clusterId: string;
  readonly locality: Locality;
  /** `namespace/name` of the selector-scoped policies that apply here. */
  readonly authorizationPolicies: readonly string[];
  readonly status: "healthy" | "unhealthy";
  /** Key `namespace/hostname` of each service this workload backs → its ports there. */
  readonly services: ReadonlyMap<string, readonly Port[]>;
  readonly applicationTunnel?: ApplicationTunnel;
  readonly capacity: number;
}

export type LoadBalancingScope = "region" | "zone" | "subzone" | "node" | "cluster" | "network";

export interface LoadBalancing {
  readonly routingPreferences: readonly LoadBalancingScope[];
  readonly mode: "standard" | "strict" | "failover" | "passthrough";
  readonly healthPolicy: "onlyHealthy" | "allowAll";
}

export interface Service {
  readonly name: string;
  readonly namespace: string;
  readonly hostname: string;
  readonly vips: readonly NetworkAddress[];
  readonly cidrVips: readonly { readonly network: string; readonly cidr: Cidr }[];
  readonly ports: readonly Port[];
  readonly subjectAltNames: readonly string[];
  readonly waypoint?: GatewayAddress;
  readonly weightedWaypoints: readonly WeightedWaypoint[];
  readonly ingressUseWaypoint: boolean;
  readonly loadBalancing: LoadBalancing;
  readonly ipFamilies: "automatic" | "ipv4" | "ipv6" | "dual";
  readonly canonical: boolean;
  readonly visibility: "public" | "namespace";
}

/** Resource name of a service on the wire and its key in the snapshot. */
export function serviceKey(service: NamespacedHostname): string {
  return `${service.namespace}/${service.hostname}`;
}

export function networkAddressKey(network: string, address: Ip): string {
  return `${network}/${address}`;
}

export function workloadIdentity(workload: Workload): Identity {
  return {
    trustDomain: workload.trustDomain,
    namespace: workload.namespace,
    serviceAccount: workload.serviceAccount,
  };
}

/** A workload with Istio's defaults for all that is not given (reference: protocol §3.2). */
export function newWorkload(
  given: Partial<Workload> & Pick<Workload, "uid" | "name" | "namespace">,
): Workload {
  return {
    addresses: [],
    hostname: "",
    network: "",
    networkMode: "standard",
    tunnelProtocol: "none",
    nativeTunnel: false,
    trustDomain: DEFAULT_TRUST_DOMAIN,
    serviceAccount: "default",
    node: "",
    canonicalName: "",
    canonicalRevision: "",
    workloadType: "deployment",
    workloadName: "",
    clusterId: "Kubernetes",
    locality: { region: "", zone: "", subzone: "" },
    authorizationPolicies: [],
    status: "healthy",
    services: new Map(),
    capacity: 1,
    ...given,
  };
}

/** A service with Istio's defaults for all that is not given. */
export function newService(
  given: Partial<Service> & Pick<Service, "name" | "namespace" | "hostname">,
): Service {
  return {
    vips: [],
    cidrVips: [],
    ports: [],
    subjectAltNames: [],
    weightedWaypoints: [],
    ingressUseWaypoint: false,
    loadBalancing: { routingPreferences: [], mode: "standard", healthPolicy: "onlyHealthy" },
    ipFamilies: "automatic",
    canonical: false,
    visibility: "public",
    ...given,
  };
}
