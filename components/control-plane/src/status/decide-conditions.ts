/** What a policy's status says: whether ztunnel enforces it, and if not, why (reference: l7-and-cli §1.9). Pure. */

import type { ZtunnelVerdict } from "../compile/authorization.ts";
import type { PolicyReport } from "../compile/mesh-collections.ts";

/** A condition as Kubernetes has it, without the time of its last change. */
export interface ConditionContent {
  readonly type: "ZtunnelAccepted" | "WaypointAccepted";
  readonly status: "True" | "False";
  readonly reason: "Accepted" | "Invalid" | "UnsupportedValue" | "AncestorNotBound";
  readonly message: string;
  /** A 64-bit number, which the JSON of Istio's API writes as text. */
  readonly observedGeneration: string;
}

export interface StoredCondition extends ConditionContent {
  readonly lastTransitionTime: string;
}

export function decideCondition(report: PolicyReport): ConditionContent {
  return { ...contentOf(report.verdict), observedGeneration: String(report.generation) };
}

function contentOf(verdict: ZtunnelVerdict): Omit<ConditionContent, "observedGeneration"> {
  switch (verdict.kind) {
    case "enforced":
      return { type: "ZtunnelAccepted", status: "True", reason: "Accepted", message: "attached to ztunnel" };
    case "notForZtunnel":
      return {
        type: "WaypointAccepted",
        status: "False",
        reason: "AncestorNotBound",
        message:
          "not enforced: the policy has targetRefs, which only waypoints enforce, and this control plane does not configure waypoints",
      };
    case "unsupported":
      return {
        type: "ZtunnelAccepted",
        status: "False",
        reason: "UnsupportedValue",
        message: `not enforced: ${unsupportedText(verdict.what)}`,
      };
    case "invalid":
      return {
        type: "ZtunnelAccepted",
        status: "False",
        reason: "Invalid",
        message: `${enforcedText(verdict.enforced)} The policy cannot be read: ${verdict.problems}`.slice(
          0,
          MAX_MESSAGE_CHARACTERS,
        ),
      };
    case "partial":
      return {
        type: "ZtunnelAccepted",
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

/** Kubernetes' bound for the message of a condition. */
const MAX_MESSAGE_CHARACTERS = 32_768;

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

/** Undefined when the stored condition says it all; otherwise what to store. The time changes with the status alone. */
export function mergeCondition(
  stored: StoredCondition | undefined,
  wanted: ConditionContent,
  now: string,
): StoredCondition | undefined {
  const isSame =
    stored !== undefined &&
    stored.status === wanted.status &&
    stored.reason === wanted.reason &&
    stored.message === wanted.message &&
    String(stored.observedGeneration) === wanted.observedGeneration;
  if (isSame) return undefined;
  return {
    ...wanted,
    lastTransitionTime: stored?.status === wanted.status ? stored.lastTransitionTime : now,
  };
}
