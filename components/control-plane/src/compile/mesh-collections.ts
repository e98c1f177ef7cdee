/** The collections that compilation reads, with the look-ups that it needs. Keys are `namespace/name` unless said. */

import type { Policy, Service, Workload } from "@meltemi/model";
import type { ZtunnelVerdict } from "./authorization.ts";
import { type BindingReport, servingWaypoints } from "./binding-report.ts";
import type { Collection } from "./collection.ts";
import type {
  AuthorizationPolicyFacts,
  EndpointSliceFacts,
  GatewayClassFacts,
  Labels,
  NamespaceFacts,
  NodeFacts,
  PeerAuthenticationFacts,
  PodFacts,
  ServiceEntryFacts,
  ServiceFacts,
  WaypointFacts,
  WorkloadEntryFacts,
} from "./facts.ts";
import type { Graph } from "./graph.ts";
import type { WaypointVerdict } from "./policy-targets.ts";
import { selectorHint } from "./selectors.ts";
import type { CompileSettings } from "./settings.ts";
import type { Waypoint } from "./waypoint.ts";

export interface MeshInputs {
  /** By name. */
  readonly namespaces: Collection<NamespaceFacts>;
  /** By name. */
  readonly nodes: Collection<NodeFacts>;
  readonly pods: Collection<PodFacts>;
  readonly services: Collection<ServiceFacts, "selector" | "hostname">;
  readonly endpointSlices: Collection<EndpointSliceFacts, "pod">;
  readonly workloadEntries: Collection<WorkloadEntryFacts>;
  readonly serviceEntries: Collection<ServiceEntryFacts, "selector" | "host">;
  readonly waypoints: Collection<WaypointFacts>;
  /** By name. */
  readonly gatewayClasses: Collection<GatewayClassFacts>;
  readonly peerAuthentications: Collection<PeerAuthenticationFacts, "selector" | "default" | "all">;
  readonly authorizationPolicies: Collection<AuthorizationPolicyFacts>;
}

/** A policy that was sent and that selects workloads by label. */
interface SelectorPolicy {
  readonly key: string;
  readonly namespace: string;
  readonly selector: Labels;
}

/** What became of an AuthorizationPolicy. */
export interface PolicyReport {
  readonly namespace: string;
  readonly name: string;
  readonly generation: number;
  readonly verdict: ZtunnelVerdict | WaypointVerdict;
  /** It has targetRefs: waypoints enforce it. */
  readonly isForWaypoints: boolean;
}

export interface MeshOutputs {
  /** Gateways that may be named as waypoints, with what their class says. */
  readonly waypoints: Collection<Waypoint>;
  /** By `<kind>/<namespace>/<name>`; `waypoint` finds what a waypoint serves. */
  readonly waypointBindings: Collection<BindingReport, "waypoint">;
  readonly selectorPolicies: Collection<SelectorPolicy, "selector">;
  readonly policyReports: Collection<PolicyReport>;
  /** By name on the wire. */
  readonly policies: Collection<Policy>;
  /** By `namespace/hostname`. */
  readonly services: Collection<Service>;
  /** By uid. */
  readonly workloads: Collection<Workload>;
}

/** Index value of `all`. */
export const EVERY = "*";

export function createInputs(graph: Graph, settings: CompileSettings): MeshInputs {
  const hintOf = ({
    namespace,
    selector,
  }: {
    readonly namespace: string;
    readonly selector: Labels;
  }): string => selectorHint(namespace, selector);
  const isEmpty = (labels: Labels): boolean => Object.keys(labels).length === 0;
  return {
    namespaces: graph.collection("Namespace", {}),
    nodes: graph.collection("Node", {}),
    pods: graph.collection("Pod", {}),
    services: graph.collection("Service", {
      // A Service without a selector selects nothing.
      selector: (service: ServiceFacts) => (isEmpty(service.selector) ? [] : [hintOf(service)]),
      hostname: (service: ServiceFacts) => [serviceHostname(service, settings)],
    }),
    endpointSlices: graph.collection("EndpointSlice", {
      pod: ({ namespace, endpoints }: EndpointSliceFacts) =>
        endpoints.flatMap(({ podName }) => (podName === undefined ? [] : [`${namespace}/${podName}`])),
    }),
    workloadEntries: graph.collection("WorkloadEntry", {}),
    serviceEntries: graph.collection("ServiceEntry", {
      selector: ({ namespace, workloadSelector }: ServiceEntryFacts) =>
        workloadSelector === undefined ? [] : [selectorHint(namespace, workloadSelector)],
      host: ({ hosts }: ServiceEntryFacts) => hosts,
    }),
    waypoints: graph.collection("Gateway", {}),
    gatewayClasses: graph.collection("GatewayClass", {}),
    peerAuthentications: graph.collection("PeerAuthentication", {
      selector: (policy: PeerAuthenticationFacts) => (isEmpty(policy.selector) ? [] : [hintOf(policy)]),
      default: ({ namespace, selector }: PeerAuthenticationFacts) => (isEmpty(selector) ? [namespace] : []),
      all: () => [EVERY],
    }),
    authorizationPolicies: graph.collection("AuthorizationPolicy", {}),
  };
}

export function createOutputs(graph: Graph): MeshOutputs {
  return {
    waypoints: graph.collection("waypoints", {}),
    waypointBindings: graph.collection("waypointBindings", { waypoint: servingWaypoints }),
    selectorPolicies: graph.collection("selectorPolicies", {
      selector: ({ namespace, selector }: SelectorPolicy) => [selectorHint(namespace, selector)],
    }),
    policyReports: graph.collection("policyReports", {}),
    policies: graph.collection("policies", {}),
    services: graph.collection("services", {}),
    workloads: graph.collection("workloads", {}),
  };
}

export function serviceHostname(
  service: { readonly namespace: string; readonly name: string },
  settings: CompileSettings,
): string {
  return `${service.name}.${service.namespace}.svc.${settings.clusterDomain}`;
}
