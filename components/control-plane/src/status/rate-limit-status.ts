/** What a RateLimitPolicy's status says: where it is enforced, by whom, or why not. Pure. */

import type { FaultReport } from "../compile/l7/object-fault.ts";
import type { RateLimitReport } from "../compile/l7/rate-limit-report.ts";
import type { TargetReport } from "../compile/policy-targets.ts";
import { faultContent } from "./applied-status.ts";
import type { ConditionContent } from "./condition.ts";

export const RATE_LIMIT_CONDITIONS = ["WaypointAccepted"] as const;

/** One line of `status.targets`. */
interface TargetStatus {
  readonly kind: string;
  readonly name: string;
  readonly enforced: boolean;
  /** By which waypoint or class, or why not. */
  readonly detail: string;
}

export function targetStatuses({ targets }: RateLimitReport): readonly TargetStatus[] {
  return targets.map(({ reference, key, outcome }) => ({
    kind: reference.kind,
    name: key,
    enforced: outcome.kind === "bound",
    detail: detailOf(outcome),
  }));
}

function detailOf(outcome: TargetReport["outcome"]): string {
  switch (outcome.kind) {
    case "bound":
      return `enforced by ${outcome.to}`;
    case "notBound":
      return "not enforced: not bound to a waypoint";
    case "notFound":
      return "not enforced: not found";
    case "invalid":
      return `not enforced: ${outcome.problem}`;
    default:
      return outcome satisfies never;
  }
}

/** `report`: of the form that is in force; undefined only with a fault. */
export function decideRateLimit(
  report: RateLimitReport | undefined,
  fault: FaultReport | undefined,
): readonly ConditionContent[] {
  if (fault !== undefined)
    return [
      {
        type: "WaypointAccepted",
        ...faultContent(fault),
        observedGeneration: String(fault.generation),
      },
    ];
  return report === undefined ? [] : [decideReadable(report)];
}

function decideReadable(report: RateLimitReport): ConditionContent {
  const targets = targetStatuses(report);
  const enforced = targets.filter((target) => target.enforced).length;
  const missing = report.missingServices.map((service) => `rate limit service unusable: ${service}`);
  const message = [...targets.map(({ kind, name, detail }) => `${kind} ${name}: ${detail}`), ...missing];
  const content = { type: "WaypointAccepted", message: message.join("; ") } as const;
  const observedGeneration = String(report.generation);
  if (enforced === 0) return { ...content, status: "False", reason: reasonOf(report), observedGeneration };
  if (enforced < targets.length || missing.length > 0)
    return { ...content, status: "True", reason: "PartiallyInvalid", observedGeneration };
  return { ...content, status: "True", reason: "Accepted", observedGeneration };
}

function reasonOf({ targets: [first] }: RateLimitReport): string {
  if (first?.outcome.kind === "notFound") return "TargetNotFound";
  return first?.outcome.kind === "notBound" ? "AncestorNotBound" : "Invalid";
}
