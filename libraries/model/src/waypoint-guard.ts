/**
 * Policies that the control plane makes where a waypoint is demanded (annotation `meltemi.io/waypoint-required`). To whoever
 * enforces them they are DENY policies like any other; a client's proxy knows them by name, so as to refuse with the reason.
 */

/** `_` keeps it apart from names of Kubernetes. */
export const WAYPOINT_GUARD_PREFIX = "meltemi_waypoint_required_";

/** Argument: the key of a policy, `namespace/name`. */
export function isWaypointGuard(policyKey: string): boolean {
  return policyKey.startsWith(WAYPOINT_GUARD_PREFIX, policyKey.indexOf("/") + 1);
}
