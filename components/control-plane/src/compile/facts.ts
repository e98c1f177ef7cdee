/**
 * The part of each Kubernetes object that the mesh depends on, parsed at the edge by sources/. What is not here cannot
 * cause work: a node's heartbeat or a pod's restart count changes no fact and is not compiled.
 */

import type { AppProtocol, Ip } from "@meltemi/model";
import type { AuthorizationRule, MutualTlsMode, TargetRef } from "@meltemi/resources";

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

/** A Gateway of class `istio-waypoint`. */
export interface WaypointFacts extends Named {
  /** `istio.io/waypoint-for`. */
  readonly trafficType: "service" | "workload" | "all" | "none";
  /** Status addresses; empty until the waypoint has been ready once. */
  readonly addresses: readonly (
    | { readonly kind: "ip"; readonly ip: Ip }
    | { readonly kind: "hostname"; readonly hostname: string }
  )[];
  readonly allowedNamespaces:
    | { readonly kind: "all" }
    | { readonly kind: "same" }
    | { readonly kind: "selector"; readonly matchLabels: Labels };
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
  /** Annotation `istio.io/dry-run: "true"`. */
  readonly dryRun: boolean;
  readonly rules: readonly AuthorizationRule[];
  /** The object of this generation cannot be read: target, action and rules stand in for it. */
  readonly fault?: PolicyFault;
}

export interface PolicyFault {
  /** Where, what was expected, what was there. */
  readonly problems: string;
  /** The generation whose form stays in force. Undefined: there is none, and what is enforced allows no more than any reading would. */
  readonly lastGoodGeneration?: number;
}
