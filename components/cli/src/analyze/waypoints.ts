/** Analyzers of waypoints: who uses them, and what cannot work without one (reference: l7-and-cli §3.5, the gaps). */

import { protocolOf } from "../describe/port-protocol.ts";
import {
  isWaypointGateway,
  missingWaypointOf,
  modeOf,
  podsOf,
  trafficTypeOf,
  USE_WAYPOINT,
  waypointOf,
  waypointRefOf,
} from "../mesh-objects/ambient.ts";
import { meshParentsOf, missingDestinations, routesOf } from "../mesh-objects/hosts.ts";
import type { MeshObject, ObjectSet } from "../mesh-objects/object-set.ts";
import { targetsService } from "../mesh-objects/policies.ts";
import { objectsAt, textAt } from "../output/json.ts";
import { type AnalysisContext, type Analyzer, isSystemNamespace } from "./analyzer.ts";
import { type Message, message } from "./message.ts";

/** Names in one message; more are counted. */
const MAX_NAMES = 5;
const BINDING_KINDS = ["Namespace", "Service", "ServiceEntry", "Pod", "WorkloadEntry"];

/** Labels that name a waypoint: it is there, and it serves such traffic. */
function* analyzeBindings({ objects, hasCluster }: AnalysisContext): Generator<Message> {
  for (const object of BINDING_KINDS.flatMap((kind) => objects.all(kind))) {
    if (object.labels[USE_WAYPOINT] === undefined) continue;
    const ref = waypointRefOf(
      object.kind === "Namespace" ? { ...object, namespace: object.name } : object,
      objects,
    );
    if (ref === undefined) continue;
    const gateway = objects.get("Gateway", ref.namespace, ref.name);
    if (gateway === undefined) {
      if (hasCluster)
        yield message(
          "referencedResourceNotFound",
          object,
          `Referenced waypoint not found: "${ref.namespace}/${ref.name}"${consequences(object, objects)}`,
        );
      continue;
    }
    const type = trafficTypeOf(gateway);
    const wanted = object.kind === "Pod" || object.kind === "WorkloadEntry" ? "workload" : "service";
    if (object.kind !== "Namespace" && type !== "all" && type !== wanted)
      yield message(
        "waypointTrafficType",
        object,
        `Waypoint ${ref.namespace}/${ref.name} serves ${type} traffic: it sees nothing that is addressed to this ${object.kind}.`,
      );
  }
}

/** What a missing waypoint means is told once, where it is named, and not again by each that it concerns. */
function consequences(carrier: MeshObject, objects: ObjectSet): string {
  const services =
    carrier.kind === "Namespace"
      ? ["Service", "ServiceEntry"]
          .flatMap((kind) => objects.in(kind, carrier.name))
          .filter((service) => service.labels[USE_WAYPOINT] === undefined)
      : [carrier].filter(({ kind }) => kind.startsWith("Service"));
  const routes = new Set(services.flatMap((service) => routesOf(service, objects)));
  const policies = objects
    .all("AuthorizationPolicy")
    .filter((policy) => services.some((service) => targetsService(policy, service, objects)));
  if (services.length === 0) return "";
  const names = services.slice(0, MAX_NAMES).map(({ name }) => name);
  const more = services.length > names.length ? ` and ${services.length - names.length} more` : "";
  const idle = [...routes, ...policies].map(({ kind, name }) => `${kind} ${name}`);
  const lost = idle.length === 0 ? "" : `; without effect: ${idle.slice(0, MAX_NAMES).join(", ")}`;
  const rest = idle.length > MAX_NAMES ? ` and ${idle.length - MAX_NAMES} more` : "";
  return `. It is that of ${names.join(", ")}${more}${lost}${rest}`;
}

function* analyzeUnused({ objects, hasCluster }: AnalysisContext): Generator<Message> {
  if (!hasCluster) return;
  for (const gateway of objects.all("Gateway").filter(isWaypointGateway)) {
    const isUsed = BINDING_KINDS.flatMap((kind) => objects.all(kind)).some((object) => {
      const ref = waypointRefOf(
        object.kind === "Namespace" ? { ...object, namespace: object.name } : object,
        objects,
      );
      return ref?.namespace === gateway.namespace && ref.name === gateway.name;
    });
    if (!isUsed)
      yield message(
        "waypointUnused",
        gateway,
        `Nothing uses this waypoint. Run 'kubectl label namespace ${gateway.namespace} ${USE_WAYPOINT}=${gateway.name}', or label a Service so.`,
      );
  }
}

function* analyzeRoutes({ objects, hasCluster }: AnalysisContext): Generator<Message> {
  for (const service of [...objects.all("Service"), ...objects.all("ServiceEntry")]) {
    const routes = routesOf(service, objects);
    const virtual = routes.filter(({ kind }) => kind === "VirtualService");
    const gamma = routes.filter(({ kind }) => kind !== "VirtualService");
    for (const route of virtual.length > 0 && gamma.length > 0 ? virtual : [])
      yield message(
        "routesMixed",
        route,
        `${service.kind} ${service.namespace}/${service.name} has routes of the Gateway API (${gamma.map(({ name }) => name).join(", ")}) as well: its waypoint uses those, and not this VirtualService.`,
      );
    if (!hasCluster || !isAmbientService(service, objects) || waypointOf(service, objects) !== undefined)
      continue;
    if (missingWaypointOf(service, objects) !== undefined) continue;
    for (const route of routes)
      yield message(
        "routeWithoutWaypoint",
        route,
        `${service.kind} ${service.namespace}/${service.name} has no waypoint: this ${route.kind} has no effect on clients in ambient mode.`,
      );
  }
}

function isAmbientService(service: MeshObject, objects: AnalysisContext["objects"]): boolean {
  return podsOf(service, objects).some((pod) => modeOf(pod, objects) === "ambient");
}

/** Sidecars go to services directly: what the waypoint enforces, they pass by. */
function* analyzeSidecars(context: AnalysisContext): Generator<Message> {
  const { objects } = context;
  const sidecars = objects.all("Pod").filter((pod) => modeOf(pod, objects) === "sidecar");
  const namespaces = [...new Set(sidecars.map(({ namespace }) => namespace))].sort();
  if (namespaces.length === 0) return;
  for (const service of objects.all("Service")) {
    if (isSystemNamespace(service.namespace, context) || waypointOf(service, objects) === undefined) continue;
    yield message(
      "sidecarBypassesWaypoint",
      service,
      `Clients with sidecars (in ${namespaces.join(", ")}) do not go through its waypoint: policies of the waypoint do not hold for them, unless the service requires it (meltemi.io/waypoint-required).`,
    );
  }
}

function* analyzePorts({ objects }: AnalysisContext): Generator<Message> {
  for (const service of objects.all("Service")) {
    if (waypointOf(service, objects) === undefined) continue;
    for (const port of objectsAt(service.spec, "ports"))
      if (protocolOf(port) === "auto-detect")
        yield message(
          "portProtocolUnknown",
          service,
          `Port ${textAt(port, "name") || "(unnamed)"} (${textAt(port, "port")}) declares no protocol: its waypoint finds it out connection by connection. Name it http-…, or set appProtocol.`,
        );
  }
}

/** Files alone tell what is missing where they hold the namespace at least in part: what another namespace has, nobody knows. */
function* analyzeParents({ objects, hasCluster }: AnalysisContext): Generator<Message> {
  const known = new Set(
    ["Service", "ServiceEntry"].flatMap((kind) => objects.all(kind)).map(({ namespace }) => namespace),
  );
  const isKnown = (namespace: string): boolean => hasCluster || known.has(namespace);
  for (const route of ["HTTPRoute", "GRPCRoute", "TCPRoute", "TLSRoute"].flatMap((kind) =>
    objects.all(kind),
  )) {
    for (const { kind, namespace, name } of meshParentsOf(route))
      if (isKnown(namespace) && objects.get(kind, namespace, name) === undefined)
        yield message(
          "referencedResourceNotFound",
          route,
          `Referenced parent not found: "${kind} ${namespace}/${name}"`,
        );
    for (const missing of missingDestinations(route, objects))
      if (isKnown(missing.slice(0, missing.indexOf("/"))))
        yield message("referencedResourceNotFound", route, `Referenced backend not found: "${missing}"`);
  }
}

export const WAYPOINT_ANALYZERS: readonly Analyzer[] = [
  {
    name: "waypoint.BindingAnalyzer",
    about: "labels that name a waypoint which is missing or serves other traffic",
    analyze: analyzeBindings,
  },
  { name: "waypoint.UnusedAnalyzer", about: "waypoints that nothing uses", analyze: analyzeUnused },
  {
    name: "waypoint.RouteAnalyzer",
    about: "routes without a waypoint, and routes of both kinds for one service",
    analyze: analyzeRoutes,
  },
  {
    name: "waypoint.SidecarAnalyzer",
    about: "clients with sidecars that pass a waypoint by",
    analyze: analyzeSidecars,
  },
  {
    name: "waypoint.PortAnalyzer",
    about: "ports behind waypoints that declare no protocol",
    analyze: analyzePorts,
  },
  {
    name: "gatewayapi.ReferenceAnalyzer",
    about: "parents and backends of routes that are not there",
    analyze: analyzeParents,
  },
];
