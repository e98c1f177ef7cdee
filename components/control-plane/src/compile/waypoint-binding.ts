/** The waypoint of each Service, ServiceEntry, WorkloadEntry, and of pods that ask for one that they cannot have. */

import { type BindingReport, bindingKey, waypointKey } from "./binding-report.ts";
import type {
  Labels,
  PodFacts,
  ServiceEntryFacts,
  ServiceFacts,
  WaypointRequest,
  WorkloadEntryFacts,
} from "./facts.ts";
import type { Output } from "./graph.ts";
import {
  bindCanary,
  bindWaypoint,
  type CanaryBinding,
  type Petitioner,
  requestedCanary,
  requestedWaypoint,
  type WaypointBinding,
  type WaypointReference,
} from "./waypoint.ts";
import { demandOf } from "./waypoint-demand.ts";
import { type Compilation, networkOf } from "./workload-parts.ts";

/** Services of gateways themselves can never have one. */
const MANAGED_GATEWAYS = new Set(["istio.io-mesh-controller", "istio.io-eastwest-controller"]);

export function bindService(
  service: ServiceFacts,
  compilation: Compilation,
): readonly Output<BindingReport>[] {
  if (isGatewayService(service.labels)) return [];
  return reportService("Service", service, false, compilation);
}

function isGatewayService(labels: Labels): boolean {
  return MANAGED_GATEWAYS.has(labels["gateway.istio.io/managed"] ?? "");
}

export function bindServiceEntry(
  entry: ServiceEntryFacts,
  compilation: Compilation,
): readonly Output<BindingReport>[] {
  const needsWaypoint = entry.resolution === "dynamicDns" || entry.hosts.some((host) => host.startsWith("*"));
  return reportService("ServiceEntry", entry, needsWaypoint, compilation);
}

export function bindWorkloadEntry(
  entry: WorkloadEntryFacts,
  compilation: Compilation,
): readonly Output<BindingReport>[] {
  const labels = { ...entry.labels, ...entry.endpoint.labels };
  const network = entry.endpoint.network || networkOf(compilation, labels);
  const binding = bindWorkload(entry.waypoint, entry.namespace, network, compilation);
  return reportOf({ ...RELAXED, kind: "WorkloadEntry", ...nameOf(entry), binding: bindingOf(binding) });
}

/** A pod has no condition for this: only what is wrong is worth telling. */
export function reportPod(pod: PodFacts, compilation: Compilation): readonly Output<BindingReport>[] {
  if (!asksForWaypoint(pod) || pod.terminated || isWaypointPod(pod.labels)) return [];
  const network = networkOf(compilation, pod.labels);
  const binding = bindWorkload(pod.waypoint, pod.namespace, network, compilation);
  return binding.kind === "refused" ? reportOf({ ...RELAXED, kind: "Pod", ...nameOf(pod), binding }) : [];
}

/** By its own label: there are many pods and few of these. */
export function asksForWaypoint(pod: PodFacts): boolean {
  return pod.waypoint.useWaypoint !== undefined;
}

/** A waypoint is not sent through a waypoint. */
export function isWaypointPod(labels: Labels): boolean {
  return labels["gateway.networking.k8s.io/gateway-name"] !== undefined;
}

/** The waypoint that guards a workload reached by its own address. */
export function bindWorkload(
  request: WaypointRequest,
  namespace: string,
  network: string,
  { inputs, outputs, read }: Compilation,
): WaypointBinding {
  const namespaceFacts = read.get(inputs.namespaces, namespace);
  const requested = requestedWaypoint(request, namespace, namespaceFacts);
  const waypoint = requested && read.get(outputs.waypoints, waypointKey(requested.reference));
  return bindWaypoint(requested, waypoint, { traffic: "workload", namespace, namespaceFacts, network });
}

const RELAXED = { canary: undefined, ingressUseWaypoint: undefined, needsWaypoint: false } as const;

function reportService(
  kind: "Service" | "ServiceEntry",
  object: ServiceFacts | ServiceEntryFacts,
  needsWaypoint: boolean,
  compilation: Compilation,
): readonly Output<BindingReport>[] {
  const { inputs, outputs, read } = compilation;
  const { namespace, waypoint: request } = object;
  const namespaceFacts = read.get(inputs.namespaces, namespace);
  const network = networkOf(compilation, {});
  const petitioner: Petitioner = { traffic: "service", namespace, namespaceFacts, network };
  const requested = requestedWaypoint(request, namespace, namespaceFacts);
  const waypoint = requested && read.get(outputs.waypoints, waypointKey(requested.reference));
  const binding = bindingOf(bindWaypoint(requested, waypoint, petitioner));
  const demand = kind === "Service" ? demandOf(request, namespaceFacts?.waypoint) : undefined;
  const ingress = request.ingressUseWaypoint ?? namespaceFacts?.waypoint.ingressUseWaypoint;
  return reportOf({
    kind,
    ...nameOf(object),
    binding,
    canary: canaryOf(binding, request, petitioner, compilation),
    // A gateway that went around the waypoint would be refused.
    ingressUseWaypoint: demand === undefined ? ingress : true,
    needsWaypoint,
    ...(demand && { demand }),
  });
}

function canaryOf(
  binding: BindingReport["binding"],
  request: WaypointRequest,
  petitioner: Petitioner,
  { outputs, read }: Compilation,
): CanaryBinding | undefined {
  if (binding?.kind !== "bound") return undefined;
  const requested = requestedCanary(request, petitioner.namespace, petitioner.namespaceFacts);
  if (requested === undefined) return undefined;
  const canary = read.get(outputs.waypoints, waypointKey(requested.reference));
  return bindCanary(requested, canary, binding.waypoint, petitioner);
}

function reportOf(report: BindingReport): readonly Output<BindingReport>[] {
  if (report.binding === undefined && !report.needsWaypoint && report.demand === undefined) return [];
  return [{ key: bindingKey(report.kind, report), value: report }];
}

function bindingOf(binding: WaypointBinding): BindingReport["binding"] {
  return binding.kind === "none" ? undefined : binding;
}

function nameOf({ namespace, name }: WaypointReference): WaypointReference {
  return { namespace, name };
}
