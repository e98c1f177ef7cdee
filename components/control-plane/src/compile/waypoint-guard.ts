/**
 * What a demanded waypoint means on the wire: a DENY policy on the workloads, enforced by the ztunnel in front of them, so that
 * no client can go around it, knowing or not. It is plain `istio.security.Authorization`: Istio's own ztunnel enforces it too.
 */

import {
  EMPTY_MATCH,
  isWaypointGuard,
  type Policy,
  type WaypointGuardRule,
  type Workload,
  waypointGuardName,
} from "@meltemi/model";
import { type BindingReport, waypointKey } from "./binding-report.ts";
import type { Labels } from "./facts.ts";
import type { Output } from "./graph.ts";
import { serviceHostname } from "./mesh-collections.ts";
import type { WaypointReference } from "./waypoint.ts";
import type { Compilation } from "./workload-parts.ts";

/** Who may connect to the ports of a service. */
export interface WaypointRequirement {
  /** `trust-domain/ns/<namespace>/sa/<account>` of its waypoints; none: nobody. */
  readonly principals: readonly string[];
}

/** Key: `namespace/hostname` of the Service. A waypoint that is asked for and cannot be used lets nobody in. */
export function compileRequirement(
  report: BindingReport,
  { outputs, read, settings }: Compilation,
): readonly Output<WaypointRequirement>[] {
  if (report.demand === undefined) return [];
  const principals = acceptedWaypoints(report).flatMap((reference) => {
    const waypoint = read.get(outputs.waypoints, waypointKey(reference));
    if (waypoint === undefined) return [];
    return [`${settings.trustDomain}/ns/${waypoint.namespace}/sa/${waypoint.serviceAccount}`];
  });
  const key = `${report.namespace}/${serviceHostname(report, settings)}`;
  return [{ key, value: { principals: [...new Set(principals)].sort() } }];
}

function acceptedWaypoints({ binding, canary }: BindingReport): readonly WaypointReference[] {
  if (binding?.kind !== "bound") return [];
  return canary?.kind === "weighted" ? [binding.waypoint, canary.waypoint] : [binding.waypoint];
}

/** Demands waypoints of some service. */
export function demandsWaypoint({ demand }: BindingReport): boolean {
  return demand !== undefined;
}

/** The policies of a workload, with the guard that its services demand. */
export function guardedPolicies(
  workload: Pick<Workload, "namespace" | "services" | "authorizationPolicies">,
  labels: Labels,
  compilation: Compilation,
): readonly string[] {
  // What passes connections on for others cannot be reached through itself.
  if (isGatewayInstance(workload.namespace, labels, compilation)) return workload.authorizationPolicies;
  const guard = waypointGuard(workload, compilation);
  if (guard === undefined) return workload.authorizationPolicies;
  return [...workload.authorizationPolicies, `${guard.namespace}/${guard.name}`].sort();
}

/** Its label alone would be an excuse that any pod can have: the Gateway must be there. */
function isGatewayInstance(namespace: string, labels: Labels, { outputs, read }: Compilation): boolean {
  const name = labels["gateway.networking.k8s.io/gateway-name"];
  return name !== undefined && read.get(outputs.waypoints, waypointKey({ namespace, name })) !== undefined;
}

/** The policy that a compiled workload refers to. Equal demands share one, whichever workloads they are of. */
export function compileGuard(workload: Workload, compilation: Compilation): readonly Output<Policy>[] {
  const guard = isGuarded(workload) ? waypointGuard(workload, compilation) : undefined;
  return guard === undefined ? [] : [{ key: `${guard.namespace}/${guard.name}`, value: guard }];
}

export function isGuarded({ authorizationPolicies }: Pick<Workload, "authorizationPolicies">): boolean {
  return authorizationPolicies.some(isWaypointGuard);
}

/** Undefined: no service of the workload demands a waypoint. */
function waypointGuard(
  { namespace, services }: Pick<Workload, "namespace" | "services">,
  { outputs, read }: Compilation,
): Policy | undefined {
  const accepted = new Map<number, Set<string>>();
  for (const [key, ports] of services) {
    const requirement = read.get(outputs.waypointRequirements, key);
    if (requirement === undefined) continue;
    // One port may serve several services: whose waypoint it was meant for, nobody can tell from a connection.
    for (const { targetPort } of ports) {
      const principals = accepted.get(targetPort) ?? new Set();
      for (const principal of requirement.principals) principals.add(principal);
      accepted.set(targetPort, principals);
    }
  }
  return accepted.size === 0 ? undefined : guardPolicy(namespace, accepted);
}

interface GuardRule {
  /** Sorted. */
  readonly ports: readonly number[];
  /** Sorted. */
  readonly principals: readonly string[];
}

function guardPolicy(namespace: string, accepted: ReadonlyMap<number, ReadonlySet<string>>): Policy {
  const byPrincipals = new Map<string, GuardRule>();
  for (const port of [...accepted.keys()].sort((a, b) => a - b)) {
    const principals = [...(accepted.get(port) ?? [])].sort();
    const key = principals.join(" ");
    byPrincipals.set(key, { principals, ports: [...(byPrincipals.get(key)?.ports ?? []), port] });
  }
  const rules = [...byPrincipals.values()];
  return {
    namespace,
    name: waypointGuardName(
      rules.map(({ ports, principals }) => ({ ports, accounts: principals.map(accountOf) })),
    ),
    scope: "workloadSelector",
    action: "deny",
    rules: rules.map(({ ports, principals }) => {
      const notPrincipals = principals.map((value) => ({ kind: "exact", value }) as const);
      return [[{ ...EMPTY_MATCH, destinationPorts: ports, notPrincipals }]];
    }),
    dryRun: false,
  };
}

/** `trust-domain/ns/<namespace>/sa/<account>` */
function accountOf(principal: string): WaypointGuardRule["accounts"][number] {
  const [, , namespace = "", , serviceAccount = ""] = principal.split("/");
  return { namespace, serviceAccount };
}

/**
 * The waypoint that clients are told of when a demanded one cannot be used. No name under `.invalid` resolves (RFC 6761): every
 * client's proxy refuses the connection, ours and Istio's alike, and its log names the reason.
 */
export function unusableWaypoint({ binding, namespace }: BindingReport): NonNullable<Workload["waypoint"]> {
  const reason = binding?.kind === "refused" ? UNUSABLE[binding.reason] : "not-asked-for";
  return {
    destination: { kind: "hostname", namespace, hostname: `${reason}.required-waypoint.invalid` },
    hbonePort: 15008,
  };
}

const UNUSABLE = {
  missing: "missing",
  notReady: "not-ready",
  attachmentDenied: "attachment-denied",
  unsupportedTraffic: "unsupported-traffic",
} as const;
