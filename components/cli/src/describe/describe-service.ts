/** `experimental describe service`: ports, waypoint, routes, rules and policies of a service, from objects alone. Pure. */

import {
  isCaptured,
  missingWaypointOf,
  modeOf,
  podsOf,
  trafficTypeOf,
  WAYPOINT_REQUIRED,
  waypointDemandOf,
  waypointOf,
  waypointRefOf,
} from "../mesh-objects/ambient.ts";
import { isAbout, missingDestinations, routesOf } from "../mesh-objects/hosts.ts";
import type { MeshObject } from "../mesh-objects/object-set.ts";
import { policyAction, targetsService } from "../mesh-objects/policies.ts";
import { objectsAt, textAt } from "../output/json.ts";
import type { DescribeContext } from "./describe-pod.ts";
import { protocolOf } from "./port-protocol.ts";

export function describeService(service: MeshObject, context: DescribeContext): readonly string[] {
  const pods = podsOf(service, context.objects);
  const modes = pods.map((pod) => modeOf(pod, context.objects));
  const count = (mode: string): number => modes.filter((one) => one === mode).length;
  const uncaptured = pods.filter((pod, index) => modes[index] === "ambient" && !isCaptured(pod));
  return [
    ...describeServiceLines(service, context),
    `   Pods: ${pods.length} (${count("ambient")} ambient, ${count("sidecar")} with sidecar, ${count("none")} not in the mesh)`,
    ...uncaptured.map((pod) => `   WARNING: pod ${pod.name} is ambient by its labels, but not captured`),
  ];
}

export function describeServiceLines(service: MeshObject, context: DescribeContext): readonly string[] {
  return [
    `Service: ${service.name}.${service.namespace}`,
    ...objectsAt(service.spec, "ports").map((port) => {
      const name = textAt(port, "name") || "(unnamed)";
      const target = textAt(port, "targetPort") || textAt(port, "port");
      return `   Port: ${name} ${textAt(port, "port")}/${protocolOf(port)} targets pod port ${target}`;
    }),
    ...waypointLines(service, context),
    ...requirementLines(service, context),
    ...routeLines(service, context),
    ...ruleLines(service, context),
    ...policyLines(service, context),
  ];
}

function waypointLines(service: MeshObject, { objects }: DescribeContext): readonly string[] {
  const ref = waypointRefOf(service, objects);
  if (ref === undefined) return ["   Waypoint: none, so that only L4 policies hold for it"];
  const name = `${ref.namespace}/${ref.name}`;
  const gateway = objects.get("Gateway", ref.namespace, ref.name);
  if (gateway === undefined)
    return [
      `   WARNING: it uses waypoint ${name}, which is not there: clients are refused or pass without it`,
    ];
  const bound = objectsAt(service.status, "conditions").find(
    (one) => textAt(one, "type") === "istio.io/WaypointBound",
  );
  if (waypointOf(service, objects) === undefined)
    return [`   WARNING: it uses waypoint ${name}, which serves ${trafficTypeOf(gateway)} traffic only`];
  const state =
    bound === undefined
      ? "no status yet"
      : textAt(bound, "status") === "True"
        ? "bound"
        : `NOT bound: ${textAt(bound, "message")}`;
  return [
    `   Waypoint: ${name} (${state}; by the label of the ${ref.by === "object" ? "service" : "namespace"})`,
  ];
}

/** Annotation `meltemi.io/waypoint-required`, of the service or else of its namespace, and what its condition says of it. */
function requirementLines(service: MeshObject, { objects }: DescribeContext): readonly string[] {
  const demand = waypointDemandOf(service, objects);
  if (demand === undefined) return [];
  const unreadable =
    demand.unreadable === undefined
      ? []
      : [
          `   WARNING: ${WAYPOINT_REQUIRED} of the ${demand.by} is ${JSON.stringify(demand.unreadable)}, expected "true" or "false": it counts as "true"`,
        ];
  if (!demand.required) return [`   Waypoint required: no (annotation of the ${demand.by})`, ...unreadable];
  const condition = objectsAt(service.status, "conditions").find(
    (one) => textAt(one, "type") === "meltemi.io/WaypointRequired",
  );
  // The control plane calls a waypoint that is not there "not ready", as Istio's does.
  const missing = missingWaypointOf(service, objects);
  if (missing !== undefined)
    return [
      `   WARNING: Waypoint required: yes (annotation of the ${demand.by}), and ${missing.namespace}/${missing.name} is not there: all connections to its ports are refused`,
      ...unreadable,
    ];
  const state =
    condition === undefined
      ? "no status yet"
      : `${textAt(condition, "reason")}: ${textAt(condition, "message")}`;
  const line = `Waypoint required: yes (annotation of the ${demand.by}; ${state})`;
  const isHeld = condition === undefined || textAt(condition, "reason") === "Enforced";
  return [isHeld ? `   ${line}` : `   WARNING: ${line}`, ...unreadable];
}

function routeLines(service: MeshObject, { objects }: DescribeContext): readonly string[] {
  const routes = routesOf(service, objects);
  const kinds = new Set(routes.map(({ kind }) => (kind === "VirtualService" ? kind : "Gateway API")));
  return [
    ...routes.flatMap((route) => [
      `   ${route.kind}: ${route.name}.${route.namespace}`,
      ...missingDestinations(route, objects).map(
        (missing) => `      WARNING: its backend ${missing} is not there: requests for it fail`,
      ),
    ]),
    ...(kinds.size > 1
      ? [
          "   WARNING: routes of the Gateway API and VirtualServices are mixed: the VirtualServices are not used",
        ]
      : []),
    ...(routes.length > 0 && waypointOf(service, objects) === undefined
      ? ["   WARNING: without a waypoint no route has an effect on clients in ambient mode"]
      : []),
  ];
}

function ruleLines(service: MeshObject, { objects }: DescribeContext): readonly string[] {
  return objects
    .all("DestinationRule")
    .filter((rule) => isAbout(textAt(rule.spec, "host"), rule, service, objects))
    .flatMap((rule) => {
      const subsets = objectsAt(rule.spec, "subsets").map((subset) => textAt(subset, "name"));
      return [
        `   DestinationRule: ${rule.name}.${rule.namespace}`,
        ...(subsets.length === 0 ? [] : [`      Subsets: ${subsets.join(", ")}`]),
      ];
    });
}

function policyLines(service: MeshObject, { objects }: DescribeContext): readonly string[] {
  const kinds = [
    "RequestAuthentication",
    "AuthorizationPolicy",
    "RateLimitPolicy",
    "Telemetry",
    "WasmPlugin",
  ];
  const isServed = waypointOf(service, objects) !== undefined;
  return kinds.flatMap((kind) =>
    objects
      .all(kind)
      .filter((policy) => targetsService(policy, service, objects))
      .map((policy) => {
        const action = kind === "AuthorizationPolicy" ? ` ${policyAction(policy)}` : "";
        const by = isServed ? "enforced by its waypoint" : "NOT enforced: it has no waypoint";
        return `   ${kind}:${action} ${policy.namespace}/${policy.name} (${by})`;
      }),
  );
}
