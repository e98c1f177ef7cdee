/** Who is in the mesh and who uses which waypoint, by labels alone (reference: l7-and-cli §1.3, §1.4, §4.1). Pure. */

import { type Json, jsonAt, objectsAt, textAt } from "../output/json.ts";
import type { MeshObject, ObjectSet } from "./object-set.ts";

export const DATAPLANE_MODE = "istio.io/dataplane-mode";
export const USE_WAYPOINT = "istio.io/use-waypoint";
const WAYPOINT_FOR = "istio.io/waypoint-for";
const WAYPOINT_CLASS = "istio-waypoint";

export type MeshMode = "ambient" | "sidecar" | "none";

/** Of a node agent that cannot be seen, or says nothing: its default. */
const EXCLUDED_BY_DEFAULT: ReadonlySet<string> = new Set(["kube-system"]);
const excludedBySet = new WeakMap<ObjectSet, ReadonlySet<string>>();

/** Namespaces that are never enrolled (`cni.excludeNamespaces`), as the node agent of these objects has been told. */
function excludedNamespaces(objects: ObjectSet): ReadonlySet<string> {
  const known = excludedBySet.get(objects);
  if (known !== undefined) return known;
  const told = objects
    .all("DaemonSet")
    .map(({ spec }) => jsonAt(spec, "template"))
    .filter(
      (template) => textAt(jsonAt(jsonAt(template, "metadata"), "labels"), "k8s-app") === "istio-cni-node",
    )
    .flatMap((template) => objectsAt(jsonAt(template, "spec"), "containers"))
    .flatMap((container) => objectsAt(container, "env"))
    .find((variable) => textAt(variable, "name") === "EXCLUDE_NAMESPACES");
  const names = textAt(told, "value")
    .split(",")
    .map((name) => name.trim())
    .filter((name) => name !== "");
  const excluded = told === undefined ? EXCLUDED_BY_DEFAULT : new Set(names);
  excludedBySet.set(objects, excluded);
  return excluded;
}

export function modeOf(pod: MeshObject, objects: ObjectSet): MeshMode {
  if (pod.annotations["sidecar.istio.io/status"] !== undefined) return "sidecar";
  const own = pod.labels[DATAPLANE_MODE];
  if (textAt(pod.spec, "hostNetwork") === "true" || own === "none") return "none";
  if (excludedNamespaces(objects).has(pod.namespace)) return "none";
  return own === "ambient" || isAmbientNamespace(pod.namespace, objects) ? "ambient" : "none";
}

export function isAmbientNamespace(name: string, objects: ObjectSet): boolean {
  return objects.get("Namespace", "", name)?.labels[DATAPLANE_MODE] === "ambient";
}

/** The node agent has said that the pod's traffic goes through ztunnel. */
export function isCaptured(pod: MeshObject): boolean {
  return pod.annotations["ambient.istio.io/redirection"] === "enabled";
}

export interface WaypointRef {
  readonly namespace: string;
  readonly name: string;
  /** Who carries the label: the object itself, or its namespace. */
  readonly by: "object" | "namespace";
}

/** Named by the object's label, else by its namespace's; `none` names none. */
export function waypointRefOf(object: MeshObject, objects: ObjectSet): WaypointRef | undefined {
  const namespace = objects.get("Namespace", "", object.namespace);
  const carrier = object.labels[USE_WAYPOINT] === undefined ? namespace : object;
  const name = carrier?.labels[USE_WAYPOINT];
  if (carrier === undefined || name === undefined || name === "none" || name === "") return undefined;
  return {
    namespace: carrier.labels[`${USE_WAYPOINT}-namespace`] ?? object.namespace,
    name,
    by: carrier === object ? "object" : "namespace",
  };
}

export const WAYPOINT_REQUIRED = "meltemi.io/waypoint-required";

export interface WaypointDemand {
  readonly by: "Service" | "Namespace";
  readonly required: boolean;
  /** A value that is neither `true` nor `false`, and counts as `true`. */
  readonly unreadable?: string;
}

/** Whether a Service demands that all traffic comes through its waypoint; undefined: nobody said anything. */
export function waypointDemandOf(service: MeshObject, objects: ObjectSet): WaypointDemand | undefined {
  const own = service.annotations[WAYPOINT_REQUIRED];
  const value = own ?? objects.get("Namespace", "", service.namespace)?.annotations[WAYPOINT_REQUIRED];
  if (value === undefined || service.kind !== "Service") return undefined;
  const isReadable = value === "true" || value === "false";
  return {
    by: own === undefined ? "Namespace" : "Service",
    required: value !== "false",
    ...(!isReadable && { unreadable: value.slice(0, 50) }),
  };
}

export function isWaypointGateway(gateway: MeshObject): boolean {
  return textAt(gateway.spec, "gatewayClassName") === WAYPOINT_CLASS;
}

export function trafficTypeOf(gateway: MeshObject): string {
  return gateway.labels[WAYPOINT_FOR] ?? "service";
}

/** The waypoint that serves the object's traffic; undefined when none is named, it is missing, or it serves other traffic. */
export function waypointOf(object: MeshObject, objects: ObjectSet): MeshObject | undefined {
  const ref = waypointRefOf(object, objects);
  const gateway = ref && objects.get("Gateway", ref.namespace, ref.name);
  if (gateway === undefined) return undefined;
  const type = trafficTypeOf(gateway);
  const wanted = object.kind === "Pod" || object.kind === "WorkloadEntry" ? "workload" : "service";
  return type === "all" || type === wanted ? gateway : undefined;
}

/** A waypoint that is named and is not there. */
export function missingWaypointOf(object: MeshObject, objects: ObjectSet): WaypointRef | undefined {
  const ref = waypointRefOf(object, objects);
  return ref !== undefined && objects.get("Gateway", ref.namespace, ref.name) === undefined ? ref : undefined;
}

/** Pods that a Service selects. */
export function podsOf(service: MeshObject, objects: ObjectSet): readonly MeshObject[] {
  const selector = Object.entries(jsonAt(service.spec, "selector") ?? {});
  if (selector.length === 0) return [];
  return objects
    .in("Pod", service.namespace)
    .filter((pod) => selector.every(([key, value]) => pod.labels[key] === value));
}

export function servicesOf(pod: MeshObject, objects: ObjectSet): readonly MeshObject[] {
  return objects.in("Service", pod.namespace).filter((service) => podsOf(service, objects).includes(pod));
}

/** `spec.selector.matchLabels`; undefined when there is no selector. */
export function matchLabelsOf(spec: Json): Readonly<Record<string, unknown>> | undefined {
  const labels = jsonAt(jsonAt(spec, "selector"), "matchLabels");
  return labels !== undefined && Object.keys(labels).length > 0 ? labels : undefined;
}

export function labelsMatch(wanted: Readonly<Record<string, unknown>>, { labels }: MeshObject): boolean {
  return Object.entries(wanted).every(([key, value]) => labels[key] === value);
}
