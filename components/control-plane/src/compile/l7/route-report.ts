/** What became of a route of Gateway API at each of its parents (reference: l7-and-cli §1.9); the source of its status. */

import type { BackendRefSpec, FilterSpec, ParentRefSpec } from "@meltemi/resources";
import { type BoundKind, bindingKey, waypointKey } from "../binding-report.ts";
import type { Output } from "../graph.ts";
import type { Compilation } from "../workload-parts.ts";
import type { RouteFacts } from "./facts.ts";
import { backendFault } from "./gateway-backend.ts";
import { unsupportedFilter } from "./gateway-filters.ts";
import { parentKey } from "./target-keys.ts";

/** True, or why not. */
export interface RouteVerdict {
  readonly holds: boolean;
  readonly reason: string;
  readonly message: string;
}

export interface ParentReport {
  readonly parentRef: ParentRefSpec;
  readonly accepted: RouteVerdict;
  readonly resolvedRefs: RouteVerdict;
  readonly resolvedWaypoints: RouteVerdict;
}

export interface RouteReport {
  readonly kind: RouteFacts["kind"];
  readonly namespace: string;
  readonly name: string;
  readonly generation: number;
  /** Parents that are services; others are not this controller's. */
  readonly parents: readonly ParentReport[];
}

export function reportRoute(route: RouteFacts, compilation: Compilation): readonly Output<RouteReport>[] {
  const { kind, namespace, name, generation, spec } = route;
  const resolvedRefs = referencesOf(route, compilation);
  const parents = (spec.parentRefs ?? []).flatMap((parentRef): ParentReport[] => {
    const key = parentKey(parentRef, namespace);
    if (key === undefined) return [];
    const [parentKind = "", ...rest] = key.split("/");
    const parent = { kind: parentKind as BoundKind, key: rest.join("/") };
    const accepted = acceptance(parentRef, parent, compilation);
    return [{ parentRef, accepted, resolvedRefs, resolvedWaypoints: waypoints(parent, compilation) }];
  });
  return [{ key: `${kind}/${namespace}/${name}`, value: { kind, namespace, name, generation, parents } }];
}

interface Parent {
  readonly kind: BoundKind;
  readonly key: string;
}

function acceptance(ref: ParentRefSpec, { kind, key }: Parent, { inputs, read }: Compilation): RouteVerdict {
  const object = kind === "Service" ? read.get(inputs.services, key) : read.get(inputs.serviceEntries, key);
  if (object === undefined)
    return { holds: false, reason: "NoMatchingParent", message: `${kind} ${key} was not found` };
  if (ref.port !== undefined && !object.ports.some(({ port }) => port === ref.port))
    return { holds: false, reason: "NoMatchingParent", message: `${kind} ${key} has no port ${ref.port}` };
  return { holds: true, reason: "Accepted", message: "Route was valid" };
}

function referencesOf(route: RouteFacts, compilation: Compilation): RouteVerdict {
  const rules = (route.spec.rules ?? []) as readonly {
    readonly backendRefs?: readonly BackendRefSpec[];
    readonly filters?: readonly FilterSpec[];
  }[];
  for (const { backendRefs = [], filters = [] } of rules) {
    const all = [...filters, ...backendRefs.flatMap((backend) => backend.filters ?? [])];
    const type = unsupportedFilter(all);
    if (type !== undefined)
      return { holds: false, reason: "InvalidFilter", message: `unsupported filter type "${type}"` };
    const mirrors = all.flatMap(({ requestMirror }) => requestMirror?.backendRef ?? []);
    for (const backend of [...backendRefs, ...mirrors]) {
      const fault = backendFault(backend, route.namespace, compilation);
      if (fault !== undefined) return { holds: false, ...fault };
    }
  }
  return { holds: true, reason: "ResolvedRefs", message: "All references resolved" };
}

/** Istio says True whatever is the case; here a route that nobody follows says so. */
function waypoints({ kind, key }: Parent, { outputs, read }: Compilation): RouteVerdict {
  const slash = key.indexOf("/");
  const object = { namespace: key.slice(0, slash), name: key.slice(slash + 1) };
  const binding = read.get(outputs.waypointBindings, bindingKey(kind, object))?.binding;
  if (binding?.kind === "bound")
    return {
      holds: true,
      reason: "ResolvedWaypoints",
      message: `All waypoints resolved: ${waypointKey(binding.waypoint)}`,
    };
  if (binding === undefined)
    return {
      holds: false,
      reason: "MissingWaypoint",
      message:
        "istio.io/use-waypoint label missing from parent and parent namespace; in ambient mode, route will not be respected",
    };
  return {
    holds: false,
    reason: "MissingWaypoint",
    message: `${kind} ${key} is not attached to waypoint "${waypointKey(binding.waypoint)}": route will not be respected`,
  };
}
