/**
 * "No way around": the annotation `meltemi.io/waypoint-required` of a Service, or of its Namespace. Ours; Istio has nothing
 * like it. Nothing here but the demand itself; what it forbids is in waypoint-guard.ts.
 */

import type { WaypointRequest } from "./facts.ts";

export interface WaypointDemand {
  readonly by: "Service" | "Namespace";
  /** The annotation says neither true nor false: read as a demand, since the other reading would open what was to be closed. */
  readonly unreadable?: string;
}

/** The Service's own word wins, in both directions; undefined: the waypoint is offered and not demanded. */
export function demandOf(
  service: WaypointRequest,
  namespace: WaypointRequest | undefined,
): WaypointDemand | undefined {
  const by = service.required === undefined ? "Namespace" : "Service";
  const text = service.required ?? namespace?.required;
  if (text === undefined || text === "false") return undefined;
  return text === "true" ? { by } : { by, unreadable: text };
}
