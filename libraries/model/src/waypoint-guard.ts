/**
 * Policies that the control plane makes where a waypoint is demanded (annotation `meltemi.io/waypoint-required`). To whoever
 * enforces them they are DENY policies like any other; proxies that know them by name can say more than no.
 */

import type { Workload } from "./workload.ts";

/** `_` keeps it apart from names of Kubernetes, which have none. */
const PREFIX = "meltemi_waypoint_required_";
const RULE_SEPARATOR = "__";

/** Ports of a workload, and the only accounts that may connect to them. */
export interface WaypointGuardRule {
  readonly ports: readonly number[];
  readonly accounts: readonly { readonly namespace: string; readonly serviceAccount: string }[];
}

/**
 * The name says all that the policy does: whoever reads of it in a log knows what to do, and a workload whose demand changes refers
 * to another policy at once, never to an old text. `meltemi_waypoint_required_8080-9090_shop.waypoint__7070_nobody`.
 */
export function waypointGuardName(rules: readonly WaypointGuardRule[]): string {
  const parts = rules.map(({ ports, accounts }) => {
    const names = accounts.map(({ namespace, serviceAccount }) => `${namespace}.${serviceAccount}`);
    return `${ports.join("-")}_${names.length === 0 ? "nobody" : names.join("_")}`;
  });
  return PREFIX + parts.join(RULE_SEPARATOR);
}

/** Argument: the key of a policy, `namespace/name`. */
export function isWaypointGuard(policyKey: string): boolean {
  return policyKey.startsWith(PREFIX, policyKey.indexOf("/") + 1);
}

/** Whether a waypoint is demanded for connections to this port of the workload. */
export function guardsPort(workload: Pick<Workload, "authorizationPolicies">, port: number): boolean {
  return workload.authorizationPolicies.some(
    (key) => isWaypointGuard(key) && guardedPorts(key).includes(port),
  );
}

function guardedPorts(policyKey: string): readonly number[] {
  const rules = policyKey.slice(policyKey.indexOf(PREFIX) + PREFIX.length).split(RULE_SEPARATOR);
  return rules.flatMap((rule) => rule.slice(0, rule.indexOf("_")).split("-").map(Number));
}
