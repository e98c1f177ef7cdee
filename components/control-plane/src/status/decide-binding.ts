/** What the status of a Service, ServiceEntry or WorkloadEntry says of its waypoint (reference: l7-and-cli §1.9). Pure. */

import { type BindingReport, waypointKey } from "../compile/binding-report.ts";
import type { CanaryRefusalReason, RefusalReason, WaypointReference } from "../compile/waypoint.ts";
import type { ConditionContent } from "./condition.ts";

const WAYPOINT_BOUND = "istio.io/WaypointBound";
const WAYPOINT_MISSING = "istio.io/WaypointMissing";
export const BINDING_CONDITIONS: readonly string[] = [WAYPOINT_BOUND, WAYPOINT_MISSING];

/** Undefined: no waypoint is asked for, and there is nothing to say. */
export function decideBindingConditions(report: BindingReport | undefined): readonly ConditionContent[] {
  if (report === undefined) return [];
  const { binding, needsWaypoint } = report;
  const conditions: ConditionContent[] = [];
  if (binding !== undefined) conditions.push(boundCondition(report, binding));
  if (needsWaypoint && binding?.kind !== "bound")
    conditions.push({
      type: WAYPOINT_MISSING,
      status: "True",
      reason: "NoWaypointForWildcardService",
      message: "ServiceEntry will not apply until it is bound to a valid waypoint.",
    });
  return conditions;
}

function boundCondition(
  report: BindingReport,
  binding: NonNullable<BindingReport["binding"]>,
): ConditionContent {
  if (binding.kind === "refused") {
    const traffic = report.kind === "WorkloadEntry" || report.kind === "Pod" ? "workload" : "service";
    return { type: WAYPOINT_BOUND, status: "False", ...explainRefusal(binding, traffic) };
  }
  return {
    type: WAYPOINT_BOUND,
    status: "True",
    reason: "WaypointAccepted",
    message: `Successfully attached to waypoint ${waypointKey(binding.waypoint)}${ingressText(report)}${canaryText(report)}`,
  };
}

function ingressText({ ingressUseWaypoint }: BindingReport): string {
  if (ingressUseWaypoint === undefined) return "";
  return ingressUseWaypoint
    ? ". Ingress traffic will traverse the waypoint"
    : ". Ingress traffic is not using the waypoint, set the istio.io/ingress-use-waypoint label to true if desired.";
}

function canaryText({ canary }: BindingReport): string {
  if (canary?.kind !== "refused") return "";
  const { reason, message } = explainRefusal(canary, "service");
  return `. Canary waypoint not attached: ${reason}: ${message}`;
}

/** Reason and message, as conditions and the log have them. */
export function explainRefusal(
  refused: { readonly waypoint: WaypointReference; readonly reason: RefusalReason | CanaryRefusalReason },
  traffic: "service" | "workload",
): { readonly reason: string; readonly message: string } {
  const name = `"${waypointKey(refused.waypoint)}"`;
  switch (refused.reason) {
    // Istio gives one reason for both.
    case "missing":
      return {
        reason: "WaypointIsNotReady",
        message: `waypoint ${name} does not exist: there is no Gateway of that name`,
      };
    case "notReady":
      return { reason: "WaypointIsNotReady", message: `waypoint ${name} is not ready` };
    case "attachmentDenied":
      return {
        reason: "AttachmentDenied",
        message: `we are not permitted to attach to waypoint ${name} (missing allowedRoutes?)`,
      };
    case "unsupportedTraffic":
      return {
        reason: "UnsupportedTrafficType",
        message: `attempting to bind to traffic type "${traffic}" which the waypoint ${name} does not support`,
      };
    case "sameAsPrimary":
      return {
        reason: "CanarySameAsPrimary",
        message: `canary waypoint ${name} must differ from the primary waypoint`,
      };
    case "invalidWeight":
      return {
        reason: "CanaryInvalidWeight",
        message: `canary waypoint ${name} has an invalid weight; must be an integer in [0,100]`,
      };
    default:
      return refused.reason satisfies never;
  }
}
