/**
 * A waypoint that was asked for and is not used is said aloud: a metric to alert on and a line in the log, beside the condition.
 * Traffic of such an object has no L7 policy, which nobody should learn from an incident.
 */

import type { Logger } from "@meltemi/runtime";
import type { Registry } from "@meltemi/telemetry";
import type { BindingReport } from "../compile/binding-report.ts";
import type { MeshChanges } from "../compile/mesh-compiler.ts";
import { explainRefusal } from "./decide-binding.ts";

export interface BrokenWaypoints {
  onCompiled(changes: Pick<MeshChanges, "waypointBindings">): void;
}

/** Objects that one line names; the metric counts them all. */
const MAX_NAMED_OBJECTS = 5;

export function createBrokenWaypoints(registry: Registry, log: Logger): BrokenWaypoints {
  const gauge = registry.gauge<"reason">({
    name: "meltemi_waypoint_references_broken",
    help: "Objects that ask for a waypoint which they cannot use; their status or the log says why",
    labels: ["reason"],
  });
  const reasons = new Map<string, string>();
  const count = (reason: string): void =>
    gauge.labels({ reason }).set([...reasons.values()].filter((each) => each === reason).length);

  return {
    onCompiled({ waypointBindings }) {
      if (waypointBindings.upserts.length + waypointBindings.removedNames.length === 0) return;
      const before = new Map(reasons);
      const lines = new Map<string, string[]>();
      for (const key of waypointBindings.removedNames) reasons.delete(key);
      for (const { name, value } of waypointBindings.upserts) {
        const problem = problemOf(value);
        if (problem === undefined) {
          reasons.delete(name);
          continue;
        }
        reasons.set(name, problem.reason);
        if (before.get(name) !== problem.reason)
          lines.set(problem.message, [...(lines.get(problem.message) ?? []), name]);
      }
      for (const reason of new Set([...before.values(), ...reasons.values()])) count(reason);
      for (const [message, objects] of lines)
        log.warn("waypoint not in use", {
          reason: message,
          objects: objects.slice(0, MAX_NAMED_OBJECTS).join(" "),
          count: objects.length,
        });
    },
  };
}

/** A canary that is refused counts too: its share of the traffic stays with the primary. */
function problemOf({
  kind,
  binding,
  canary,
  needsWaypoint,
  demand,
}: BindingReport): { readonly reason: string; readonly message: string } | undefined {
  const traffic = kind === "Pod" || kind === "WorkloadEntry" ? "workload" : "service";
  if (binding?.kind === "refused") return explainRefusal(binding, traffic);
  if (canary?.kind === "refused") return explainRefusal(canary, traffic);
  if (binding === undefined && needsWaypoint)
    return {
      reason: "NoWaypointForWildcardService",
      message: "a host with a wildcard is served by waypoints only, and none is asked for",
    };
  if (binding === undefined && demand !== undefined)
    return {
      reason: "RequiredWaypointNotAskedFor",
      message: "a waypoint is required and none is asked for: all connections are refused",
    };
  return undefined;
}
