/** What became of each request for a waypoint: the source of clients' routes, of status, of metrics, and of what each waypoint serves. */

import type { BoundWaypoint, CanaryBinding, RefusedWaypoint, WaypointReference } from "./waypoint.ts";
import type { WaypointDemand } from "./waypoint-demand.ts";

export type BoundKind = "Service" | "ServiceEntry" | "WorkloadEntry" | "Pod";

/** What became of a request for a waypoint; an object that asks for none has no report. Key: `<kind>/<namespace>/<name>`. */
export interface BindingReport extends WaypointReference {
  readonly kind: BoundKind;
  /** Undefined: none was asked for, and one is needed. */
  readonly binding: BoundWaypoint | RefusedWaypoint | undefined;
  readonly canary: CanaryBinding | undefined;
  /** Label `istio.io/ingress-use-waypoint` of the object, else of its namespace; undefined: neither has it. */
  readonly ingressUseWaypoint: boolean | undefined;
  /** Has a host with a wildcard, which only a waypoint can serve. */
  readonly needsWaypoint: boolean;
  /** There must be no way around its waypoint. */
  readonly demand?: WaypointDemand;
}

export function bindingKey(kind: BoundKind, { namespace, name }: WaypointReference): string {
  return `${kind}/${namespace}/${name}`;
}

/** Index values of a report: the waypoints that traffic of the object goes to. */
export function servingWaypoints({ binding, canary }: BindingReport): readonly string[] {
  if (binding?.kind !== "bound") return [];
  const waypoints = canary?.kind === "weighted" ? [binding.waypoint, canary.waypoint] : [binding.waypoint];
  return waypoints.map(({ namespace, name }) => `${namespace}/${name}`);
}

export function waypointKey({ namespace, name }: WaypointReference): string {
  return `${namespace}/${name}`;
}
