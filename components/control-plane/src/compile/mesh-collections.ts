/** The collections that compilation reads, with the look-ups that it needs. Keys are `namespace/name` unless said. */

import type { Policy, Service, Workload } from "@meltemi/model";
import type { WaypointSettings } from "@meltemi/model/l7";
import type { WorkloadLabels } from "@meltemi/xds";
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
import type { AppliedReport } from "./l7/applied-report.ts";
import type {
  CredentialFacts,
  DestinationRuleFacts,
  KeySetFacts,
  RateLimitPolicyFacts,
  RequestAuthenticationFacts,
  RouteFacts,
  TelemetryFacts,
  VirtualServiceFacts,
} from "./l7/facts.ts";
import { fullHost } from "./l7/hosts.ts";
import type { FaultReport, ObjectFault } from "./l7/object-fault.ts";
import type { RateLimitReport } from "./l7/rate-limit-report.ts";
import type { RouteReport } from "./l7/route-report.ts";
import type { ServedAt } from "./l7/served-service.ts";
import { parentKey, targetKey } from "./l7/target-keys.ts";
import type { WaypointVerdict } from "./policy-targets.ts";
import type { RequirementReport, UnguardedWorkload } from "./requirement-report.ts";
import { selectorHint } from "./selectors.ts";
import type { CompileSettings } from "./settings.ts";
import type { Waypoint } from "./waypoint.ts";
import type { WaypointRequirement } from "./waypoint-guard.ts";

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
  readonly authorizationPolicies: Collection<AuthorizationPolicyFacts, "target">;
  /** `host` finds them by what they speak for, patterns as they stand. */
  readonly virtualServices: Collection<VirtualServiceFacts, "host">;
  readonly destinationRules: Collection<DestinationRuleFacts, "host">;
  /** By `<kind>/<namespace>/<name>`. */
  readonly routes: Collection<RouteFacts, "parent">;
  readonly requestAuthentications: Collection<RequestAuthenticationFacts, "target">;
  readonly telemetries: Collection<TelemetryFacts, "target" | "namespace">;
  readonly rateLimitPolicies: Collection<RateLimitPolicyFacts, "target" | "all">;
  /** By `keySetKey` of target-keys.ts. */
  readonly keySets: Collection<KeySetFacts>;
  /** Secrets that DestinationRules name. */
  readonly credentials: Collection<CredentialFacts>;
  /** Objects that cannot be read, by `<kind>/<namespace>/<name>`. */
  readonly faults: Collection<ObjectFault>;
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
  /** By `namespace/hostname` of the services that demand their waypoint. */
  readonly waypointRequirements: Collection<WaypointRequirement>;
  /** By uid: workloads that no ztunnel guards, though a service of theirs demands a waypoint. */
  readonly unguardedWorkloads: Collection<UnguardedWorkload, "service">;
  /** By `Service/<namespace>/<name>`. */
  readonly requirementReports: Collection<RequirementReport>;
  readonly selectorPolicies: Collection<SelectorPolicy, "selector">;
  readonly policyReports: Collection<PolicyReport>;
  /** By name on the wire. */
  readonly policies: Collection<Policy>;
  /** By `namespace/hostname`. */
  readonly services: Collection<Service>;
  /** By uid. */
  readonly workloads: Collection<Workload>;
  /** By uid. */
  readonly workloadLabels: Collection<WorkloadLabels>;
  /** By waypoint and service. */
  readonly served: Collection<ServedAt>;
  readonly waypointSettings: Collection<WaypointSettings>;
  /** By `<kind>/<namespace>/<name>`. */
  readonly routeReports: Collection<RouteReport>;
  readonly rateLimitReports: Collection<RateLimitReport>;
  /** By `<kind>/<namespace>/<name>`. */
  readonly appliedReports: Collection<AppliedReport>;
  /** By `<kind>/<namespace>/<name>`. */
  readonly faultReports: Collection<FaultReport>;
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
    authorizationPolicies: graph.collection<AuthorizationPolicyFacts, "target">("AuthorizationPolicy", {
      target: targetKeysOf,
    }),
    ...createRoutingInputs(graph, settings),
  };
}

/** Index values of a policy with targetRefs. */
function targetKeysOf({
  targetRefs,
  namespace,
}: Pick<AuthorizationPolicyFacts, "targetRefs" | "namespace">): readonly string[] {
  return targetRefs.flatMap((reference) => targetKey(reference, namespace) ?? []);
}

type RoutingInputs = Pick<
  MeshInputs,
  | "virtualServices"
  | "destinationRules"
  | "routes"
  | "requestAuthentications"
  | "telemetries"
  | "rateLimitPolicies"
  | "keySets"
  | "credentials"
  | "faults"
>;

function createRoutingInputs(graph: Graph, { clusterDomain }: CompileSettings): RoutingInputs {
  return {
    virtualServices: graph.collection("VirtualService", {
      host: ({ namespace, spec }: VirtualServiceFacts) =>
        (spec.hosts ?? []).map((host) => fullHost(host, namespace, clusterDomain)),
    }),
    destinationRules: graph.collection("DestinationRule", {
      host: ({ namespace, spec }: DestinationRuleFacts) => [fullHost(spec.host, namespace, clusterDomain)],
    }),
    routes: graph.collection("Route", {
      parent: ({ spec, namespace }: RouteFacts) => [
        ...new Set(spec.parentRefs?.flatMap((parent) => parentKey(parent, namespace) ?? [])),
      ],
    }),
    requestAuthentications: graph.collection<RequestAuthenticationFacts, "target">("RequestAuthentication", {
      target: targetKeysOf,
    }),
    telemetries: graph.collection("Telemetry", {
      target: targetKeysOf,
      namespace: ({ namespace, targetRefs, hasSelector }: TelemetryFacts) =>
        hasSelector || targetRefs.length > 0 ? [] : [namespace],
    }),
    rateLimitPolicies: graph.collection<RateLimitPolicyFacts, "target" | "all">("RateLimitPolicy", {
      target: targetKeysOf,
      all: () => [EVERY],
    }),
    keySets: graph.collection("keySets", {}),
    credentials: graph.collection("credentials", {}),
    faults: graph.collection("faults", {}),
  };
}

export function createOutputs(graph: Graph): MeshOutputs {
  return {
    waypoints: graph.collection("waypoints", {}),
    waypointBindings: graph.collection("waypointBindings", { waypoint: servingWaypoints }),
    waypointRequirements: graph.collection("waypointRequirements", {}),
    unguardedWorkloads: graph.collection("unguardedWorkloads", {
      service: ({ services }: UnguardedWorkload) => services,
    }),
    requirementReports: graph.collection("requirementReports", {}),
    selectorPolicies: graph.collection("selectorPolicies", {
      selector: ({ namespace, selector }: SelectorPolicy) => [selectorHint(namespace, selector)],
    }),
    policyReports: graph.collection("policyReports", {}),
    policies: graph.collection("policies", {}),
    services: graph.collection("services", {}),
    workloads: graph.collection("workloads", {}),
    workloadLabels: graph.collection("workloadLabels", {}),
    served: graph.collection("served", {}),
    waypointSettings: graph.collection("waypointSettings", {}),
    routeReports: graph.collection("routeReports", {}),
    rateLimitReports: graph.collection("rateLimitReports", {}),
    appliedReports: graph.collection("appliedReports", {}),
    faultReports: graph.collection("faultReports", {}),
  };
}

export function serviceHostname(
  service: { readonly namespace: string; readonly name: string },
  settings: CompileSettings,
): string {
  return `${service.name}.${service.namespace}.svc.${settings.clusterDomain}`;
}
