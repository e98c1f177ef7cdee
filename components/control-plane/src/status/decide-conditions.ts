/** What a policy's status says: who enforces it, and if nobody does, why (reference: l7-and-cli §1.9). Pure. */

import type { ZtunnelVerdict } from "../compile/authorization.ts";
import type { PolicyReport } from "../compile/mesh-collections.ts";
import type { TargetReport, WaypointVerdict } from "../compile/policy-targets.ts";
import type { ConditionContent } from "./condition.ts";

export const POLICY_CONDITIONS = ["ZtunnelAccepted", "WaypointAccepted"] as const;

export function decideCondition(report: PolicyReport): ConditionContent {
  const { verdict, generation } = report;
  const content = verdict.kind === "targets" ? targetsContent(verdict) : ztunnelContent(verdict);
  const type = report.isForWaypoints ? "WaypointAccepted" : "ZtunnelAccepted";
  return { type, ...content, observedGeneration: String(generation) };
}

type Content = Omit<ConditionContent, "type" | "observedGeneration">;

/** Whether waypoints have taken what has targetRefs; the same for every kind of policy. */
export function targetsContent({ targets }: WaypointVerdict): Content {
  const unbound = targets.filter(({ outcome }) => outcome.kind !== "bound");
  const [first] = unbound;
  if (first === undefined) {
    const bound = targets.flatMap(({ outcome }) => (outcome.kind === "bound" ? [outcome.to] : []));
    return { status: "True", reason: "Accepted", message: `bound to ${[...new Set(bound)].join(", ")}` };
  }
  if (unbound.length < targets.length)
    return {
      status: "True",
      reason: "PartiallyInvalid",
      message: `Invalid targetRefs: ${unbound.map(formatTarget).join(", ")}`,
    };
  return {
    status: "False",
    reason: unboundReason(first),
    message: unbound.map(unboundText).join("; "),
  };
}

function formatTarget({ reference, key }: TargetReport): string {
  return `${reference.kind}.${reference.group || "core"}:${key}`;
}

function unboundReason({ outcome }: TargetReport): string {
  if (outcome.kind === "notFound") return "TargetNotFound";
  return outcome.kind === "notBound" ? "AncestorNotBound" : "Invalid";
}

function unboundText({ reference, key, outcome }: TargetReport): string {
  if (outcome.kind === "invalid") return outcome.problem;
  return `${reference.kind} ${key} ${outcome.kind === "notFound" ? "was not found" : "is not bound to a waypoint"}`;
}

function ztunnelContent(verdict: ZtunnelVerdict): Content {
  switch (verdict.kind) {
    case "enforced":
      return { status: "True", reason: "Accepted", message: "attached to ztunnel" };
    case "notForZtunnel":
      return {
        status: "False",
        reason: "AncestorNotBound",
        message: "not enforced by ztunnel: it has targetRefs",
      };
    case "unsupported":
      return {
        status: "False",
        reason: "UnsupportedValue",
        message: `not enforced: ${unsupportedText(verdict.what)}`,
      };
    case "invalid":
      return {
        status: "False",
        reason: "Invalid",
        message: `${enforcedText(verdict.enforced)} The policy cannot be read: ${verdict.problems}`,
      };
    case "partial":
      return {
        // Istio says True whenever anything is sent. A policy that cannot act at all is not accepted, whatever was sent.
        status: verdict.effect === "noEffect" ? "False" : "True",
        reason: "UnsupportedValue",
        message:
          `ztunnel does not support HTTP attributes (found: ${verdict.attributes.join(", ")}). ` +
          `In ambient mode you must use a waypoint proxy to enforce HTTP rules. ${effectText(verdict.effect)}`,
      };
    default:
      return verdict satisfies never;
  }
}

function enforcedText(enforced: (ZtunnelVerdict & { kind: "invalid" })["enforced"]): string {
  switch (enforced.kind) {
    case "lastGood":
      return `Generation ${enforced.generation} stays in force.`;
    case "allowsLess":
      return "Enforced without the rules that cannot be read: it allows less than it says.";
    case "deniesMore":
      return "Enforced as a policy that denies everything to what it selects, because whom it denies cannot be known.";
    case "nothing":
      return "Not enforced at ztunnel.";
    default:
      return enforced satisfies never;
  }
}

function unsupportedText(what: "AUDIT action" | "CUSTOM action" | "dry run"): string {
  if (what === "dry run")
    return "dry run at ztunnel is switched off (AMBIENT_ENABLE_DRY_RUN_AUTHORIZATION_POLICY)";
  return `ztunnel does not support the ${what}`;
}

function effectText(effect: (ZtunnelVerdict & { kind: "partial" })["effect"]): string {
  switch (effect) {
    case "rulesOmitted":
      return "Rules of this ALLOW policy that have such attributes are left out: it allows less than it says.";
    case "attributesIgnored":
      return "The rules of this DENY policy are enforced without these attributes: it denies more than it says.";
    case "someRulesInert":
      return "Some rules of this DENY policy consist of these attributes only and have no effect; the others are enforced without them.";
    case "noEffect":
      return "No rule of this DENY policy can be enforced without them: it has no effect.";
    default:
      return effect satisfies never;
  }
}
