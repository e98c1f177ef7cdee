/** What the status of a Service says of the demand for its waypoint (annotation `meltemi.io/waypoint-required`). Pure. */

import { waypointKey } from "../compile/binding-report.ts";
import type { RequirementReport } from "../compile/requirement-report.ts";
import type { ConditionContent } from "./condition.ts";
import { explainRefusal } from "./decide-binding.ts";

export const REQUIREMENT_CONDITION = "meltemi.io/WaypointRequired";

/**
 * True: nobody gets to the service's ports but through its waypoint, which also holds while there is none to get through.
 * False: some workload takes connections from anybody. Undefined: nothing is demanded.
 */
export function decideRequirementCondition(
  requirement: RequirementReport | undefined,
): ConditionContent | undefined {
  if (requirement === undefined) return undefined;
  const { report, unguarded } = requirement;
  const type = REQUIREMENT_CONDITION;
  const demand = demandText(report.demand);
  if (unguarded.count > 0) {
    const more = unguarded.count - unguarded.names.length;
    const names = unguarded.names.join(", ") + (more > 0 ? ` and ${more} more` : "");
    return {
      type,
      status: "False",
      reason: "WorkloadsNotInMesh",
      message: `${demand}not enforced at ${names}: no ztunnel stands before them, and they take connections from anybody`,
    };
  }
  const { binding } = report;
  if (binding?.kind === "bound") {
    const message = `${demand}connections to its ports are refused unless they come from waypoint ${waypointKey(binding.waypoint)}`;
    return { type, status: "True", reason: "Enforced", message };
  }
  const why = binding === undefined ? "no waypoint is asked for" : explainRefusal(binding, "service").message;
  const message = `${demand}all connections to its ports are refused: ${why}`;
  return { type, status: "True", reason: "NoUsableWaypoint", message };
}

function demandText(demand: RequirementReport["report"]["demand"]): string {
  if (demand?.unreadable === undefined) return "";
  const value = JSON.stringify(demand.unreadable.slice(0, 50));
  return `meltemi.io/waypoint-required of the ${demand.by} is ${value}, expected "true" or "false", read as "true"; `;
}
