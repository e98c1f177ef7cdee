/** What the status of a RequestAuthentication, Telemetry, DestinationRule or VirtualService says. Pure. */

import type { AppliedReport, AppliedVerdict } from "../compile/l7/applied-report.ts";
import type { FaultReport } from "../compile/l7/object-fault.ts";
import type { ConditionContent } from "./condition.ts";
import { targetsContent } from "./decide-conditions.ts";

export const APPLIED_CONDITIONS = ["WaypointAccepted"] as const;

type Content = Omit<ConditionContent, "type" | "observedGeneration">;

/** Undefined: there is nothing to say, because all of it does what it says. */
export function decideApplied(
  report: AppliedReport | undefined,
  fault: FaultReport | undefined,
): ConditionContent | undefined {
  const about = fault ?? report;
  if (about === undefined) return undefined;
  const content = fault === undefined ? report && verdictContent(report.verdict) : faultContent(fault);
  if (content === undefined) return undefined;
  return { type: "WaypointAccepted", ...content, observedGeneration: String(about.generation) };
}

export function faultContent(fault: FaultReport): Content {
  return { status: "False", reason: "Invalid", message: faultText(fault) };
}

export function faultText({ problems, lastGoodGeneration }: FaultReport): string {
  const inForce =
    lastGoodGeneration === undefined
      ? "Not enforced."
      : `Generation ${lastGoodGeneration} stays in force until the control plane starts anew.`;
  return `${inForce} The object cannot be read: ${problems}`;
}

/** Reasons of Gateway API for references to Secrets. */
function credentialsContent(
  missing: Extract<AppliedVerdict, { readonly kind: "credentials" }>["missing"],
): Content {
  const problems = missing.map(({ namespace, name, isForbidden }) =>
    isForbidden
      ? `Secret ${namespace}/${name} may not be read by the control plane: add ${namespace} to values.pilot.credentialNamespaces of its installation`
      : `Secret ${namespace}/${name} was not found`,
  );
  return {
    status: "False",
    reason: missing.some(({ isForbidden }) => isForbidden) ? "RefNotPermitted" : "InvalidCertificateRef",
    message: `waypoints refuse requests that need what they have not: ${problems.join("; ")}`,
  };
}

function verdictContent(verdict: AppliedVerdict): Content {
  switch (verdict.kind) {
    case "targets":
      return targetsContent(verdict);
    case "scope":
      return {
        status: "True",
        reason: "Accepted",
        message: `applies to what waypoints serve in ${verdict.namespace === undefined ? "the mesh" : `namespace ${verdict.namespace}`}`,
      };
    case "shadowed":
      return {
        status: "False",
        reason: "Conflicted",
        message: `not enforced: the older ${verdict.by} is for the same`,
      };
    case "noTargets":
      return {
        status: "False",
        reason: "AncestorNotBound",
        message:
          "has no effect in ambient mode: ztunnel does not read requests, and waypoints follow targetRefs alone",
      };
    case "credentials":
      return credentialsContent(verdict.missing);
    case "withoutEffect": {
      const what = verdict.fields.join(", ");
      return verdict.all
        ? { status: "False", reason: "UnsupportedValue", message: `has no effect because of ${what}` }
        : { status: "True", reason: "PartiallyInvalid", message: `not enforced by waypoints: ${what}` };
    }
    default:
      return verdict satisfies never;
  }
}
