/**
 * The part of each Kubernetes object that the mesh depends on, parsed at the edge by sources/. What is not here cannot
 * cause work: a node's heartbeat or a pod's restart count changes no fact and is not compiled.
 */

import type { Requirement } from "@meltemi/kubernetes";
import type { AppProtocol, Ip } from "@meltemi/model";
import type { PolicyRule } from "@meltemi/model/l7";
import type { MutualTlsMode, TargetRef } from "@meltemi/resources";

export type Labels = Readonly<Record<string, string>>;

interface Named {
  readonly namespace: string;
  readonly name: string;
}

/** Labels and annotations that name a waypoint (reference: l7-and-cli §1.4). */
export interface WaypointRequest {
  /** `istio.io/use-waypoint`; `none` refuses one. */
  readonly useWaypoint?: string;
  readonly useWaypointNamespace?: string;
  /** `istio.io/ingress-use-waypoint`, when present. */
  readonly ingressUseWaypoint?: boolean;
  /** `istio.io/use-waypoint-canary`. */
  readonly canary?: string;
  readonly canaryNamespace?: string;
  /** Annotation `istio.io/use-waypoint-canary-weight`, as written. */
  readonly canaryWeight?: string;
  /** Annotation `meltemi.io/waypoint-required`, as written; of Services and Namespaces only. */
  readonly required?: string;
}

export interface NamespaceFacts {
  readonly name: string;
  readonly labels: Labels;
  readonly waypoint: WaypointRequest;
  /** Label `topology.istio.io/network`; empty when absent. */
  readonly network: string;
}

export interface NodeFacts {
  readonly name: string;
  readonly region: string;
  readonly zone: string;
  readonly subzone: string;
}

export interface PodFacts extends Named {
  readonly labels: Labels;
  readonly waypoint: WaypointRequest;
  readonly ips: readonly Ip[];
  /** Phase Succeeded or Failed: it will not run again. */
  readonly terminated: boolean;
  /** Condition Ready, and not being deleted. */
  readonly healthy: boolean;
  readonly hostNetwork: boolean;
  readonly node: string;
  readonly serviceAccount: string;
  /** Annotation `ambient.istio.io/redirection: enabled`: the node's ztunnel serves it. */
  readonly captured: boolean;
  /** Name of the Deployment, StatefulSet, Job, … that made it, or its own. */
  readonly workloadName: string;
  /** Container ports that have a name. */
  readonly namedPorts: Readonly<Record<string, number>>;
}

export interface ServicePortFacts {
  readonly name: string;
  readonly port: number;
  /** A number, or the name of a port of the pods. */
  readonly targetPort: number | string;
  readonly appProtocol: AppProtocol;
}

export interface ServiceFacts extends Named {
  readonly labels: Labels;
  readonly waypoint: WaypointRequest;
  readonly selector: Labels;
  readonly vips: readonly Ip[];
  readonly ports: readonly ServicePortFacts[];
  readonly ipFamilies: "automatic" | "ipv4" | "ipv6" | "dual";
  readonly publishNotReady: boolean;
  readonly localTrafficOnly: boolean;
  readonly trafficDistribution: TrafficDistribution;
}

export type TrafficDistribution = "any" | "preferSameZone" | "preferSameNode";

/** An EndpointSlice that no controller made from pods. */
export interface EndpointSliceFacts extends Named {
  readonly serviceName: string;
  readonly ports: readonly { readonly name: string; readonly port: number }[];
  readonly endpoints: readonly {
    readonly ips: readonly Ip[];
    readonly healthy: boolean;
    /** The pod that it stands for, in the slice's namespace. */
    readonly podName?: string;
  }[];
}

export interface WorkloadEntryFacts extends Named {
  readonly labels: Labels;
  readonly waypoint: WaypointRequest;
  readonly endpoint: EndpointFacts;
}

/** A WorkloadEntry's spec, on its own or inline in a ServiceEntry. */
export interface EndpointFacts {
  /** Undefined for a unix socket, which the mesh cannot reach. */
  readonly address:
    | { readonly kind: "ip"; readonly ip: Ip }
    | { readonly kind: "hostname"; readonly hostname: string }
    | undefined;
  readonly labels: Labels;
  readonly ports: Readonly<Record<string, number>>;
  readonly network: string;
  /** `region/zone/subzone` as written; empty when absent. */
  readonly locality: string;
  readonly weight: number;
  readonly serviceAccount: string;
}

export interface ServiceEntryFacts extends Named {
  readonly createdMs: number;
  readonly waypoint: WaypointRequest;
  readonly labels: Labels;
  readonly hosts: readonly string[];
  readonly addresses: readonly { readonly ip: Ip; readonly prefixLength?: number }[];
  /** VIPs that an allocator gave, by host. */
  readonly allocatedAddresses: readonly { readonly host: string; readonly ip: Ip }[];
  readonly ports: readonly ServicePortFacts[];
  readonly location: "external" | "internal";
  readonly resolution: "none" | "static" | "dns" | "dynamicDns";
  readonly endpoints: readonly EndpointFacts[];
  /** Undefined: no selector. */
  readonly workloadSelector: Labels | undefined;
  readonly subjectAltNames: readonly string[];
  readonly trafficDistribution: TrafficDistribution;
}

export type WaypointTraffic = "service" | "workload" | "all" | "none";

/** Annotation `ambient.istio.io/waypoint-inbound-binding`: how ztunnel hands a connection to the waypoint's process. */
export interface InboundBinding {
  readonly protocol: "none" | "proxy";
  /** Undefined: the port of the request is kept. */
  readonly port: number | undefined;
}

/** A Gateway of any class: whatever has addresses may be named as a waypoint (reference: l7-and-cli §1.1). */
export interface WaypointFacts extends Named {
  readonly className: string;
  /** Label `istio.io/waypoint-for`; undefined: its class decides. */
  readonly trafficType: WaypointTraffic | undefined;
  readonly inboundBinding: InboundBinding | undefined;
  /** As whom it speaks: annotation `gateway.istio.io/service-account`, else its own name. */
  readonly serviceAccount: string;
  /** Status addresses; empty until the waypoint has been ready once. */
  readonly addresses: readonly (
    | { readonly kind: "ip"; readonly ip: Ip }
    | { readonly kind: "hostname"; readonly hostname: string }
  )[];
  readonly listeners: readonly WaypointListenerFacts[];
}

export interface WaypointListenerFacts {
  readonly port: number;
  readonly protocol: string;
  readonly allowedNamespaces: AllowedNamespaces;
}

export type AllowedNamespaces =
  | { readonly kind: "all" }
  | { readonly kind: "same" }
  | { readonly kind: "selector"; readonly requirements: readonly Requirement[] };

/** What a GatewayClass says for all Gateways of it. Key: its name. */
export interface GatewayClassFacts {
  readonly name: string;
  readonly controllerName: string;
  readonly trafficType: WaypointTraffic | undefined;
  readonly inboundBinding: InboundBinding | undefined;
}

export interface PeerAuthenticationFacts extends Named {
  readonly createdMs: number;
  /** Empty: the whole namespace, or the mesh in the root namespace. */
  readonly selector: Labels;
  readonly mode: MutualTlsMode;
  readonly portModes: readonly { readonly port: number; readonly mode: MutualTlsMode }[];
}

export interface AuthorizationPolicyFacts extends Named {
  readonly generation: number;
  readonly selector: Labels;
  readonly targetRefs: readonly TargetRef[];
  readonly action: "ALLOW" | "DENY" | "AUDIT" | "CUSTOM";
  /** Of CUSTOM: who is asked. Undefined where that cannot be known: then nobody is, and what would be asked about is denied. */
  readonly provider?: string;
  /** Annotation `istio.io/dry-run: "true"`. */
  readonly dryRun: boolean;
  readonly rules: readonly PolicyRule[];
  /** The object of this generation cannot be read: target, action and rules stand in for it. */
  readonly fault?: PolicyFault;
}

export interface PolicyFault {
  /** Where, what was expected, what was there. */
  readonly problems: string;
  /** The generation whose form stays in force. Undefined: there is none, and what is enforced allows no more than any reading would. */
  readonly lastGoodGeneration?: number;
}
