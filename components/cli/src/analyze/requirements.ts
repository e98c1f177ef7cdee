/** Services that demand their waypoint (annotation `meltemi.io/waypoint-required`): whether the demand can be met, and read. */

import {
  missingWaypointOf,
  modeOf,
  podsOf,
  WAYPOINT_REQUIRED,
  type WaypointRef,
  waypointDemandOf,
  waypointOf,
  waypointRefOf,
} from "../mesh-objects/ambient.ts";
import type { MeshObject, ObjectSet } from "../mesh-objects/object-set.ts";
import { objectsAt, textAt } from "../output/json.ts";
import type { AnalysisContext, Analyzer } from "./analyzer.ts";
import { type Message, message } from "./message.ts";

const CONDITION = "meltemi.io/WaypointRequired";

function* analyzeRequirements(context: AnalysisContext): Generator<Message> {
  yield* analyzeValues(context);
  if (!context.hasCluster) return;
  for (const service of context.objects.all("Service")) {
    if (waypointDemandOf(service, context.objects)?.required !== true) continue;
    // The control plane calls a waypoint that is not there "not ready", as Istio's does.
    const isMissing = missingWaypointOf(service, context.objects) !== undefined;
    const { reason, text } = (isMissing ? undefined : reportOf(service)) ?? foundOut(service, context);
    if (reason === "NoUsableWaypoint") yield message("requiredWaypointUnusable", service, text);
    if (reason === "WorkloadsNotInMesh") yield message("requiredWaypointBypassed", service, text);
  }
}

function* analyzeValues({ objects }: AnalysisContext): Generator<Message> {
  for (const object of [...objects.all("Namespace"), ...objects.all("Service")]) {
    const value = object.annotations[WAYPOINT_REQUIRED];
    if (value === undefined || value === "true" || value === "false") continue;
    yield message(
      "requiredWaypointUnreadable",
      object,
      `Annotation ${WAYPOINT_REQUIRED} is ${JSON.stringify(value.slice(0, 50))}, expected "true" or "false": it counts as "true".`,
    );
  }
}

interface Finding {
  readonly reason: string;
  readonly text: string;
}

/** What the control plane says; it knows more than the objects show. */
function reportOf(service: MeshObject): Finding | undefined {
  const condition = objectsAt(service.status, "conditions").find((one) => textAt(one, "type") === CONDITION);
  if (condition === undefined) return undefined;
  return {
    reason: textAt(condition, "reason"),
    text: `Its waypoint is required: ${textAt(condition, "message")}.`,
  };
}

/** Before it has said anything, or without it. */
function foundOut(service: MeshObject, { objects }: AnalysisContext): Finding {
  if (waypointOf(service, objects) === undefined) {
    const ref = waypointRefOf(service, objects);
    const why =
      ref === undefined
        ? "none is asked for"
        : `${ref.namespace}/${ref.name} ${isThere(ref, objects) ? "cannot be used" : "is not there"}`;
    return {
      reason: "NoUsableWaypoint",
      text: `Its waypoint is required, and ${why}: all connections to its ports are refused.`,
    };
  }
  const outside = podsOf(service, objects).filter((pod) => modeOf(pod, objects) !== "ambient");
  if (outside.length === 0) return { reason: "Enforced", text: "" };
  const names = outside.slice(0, 3).map(({ name }) => name);
  return {
    reason: "WorkloadsNotInMesh",
    text: `Its waypoint is required, but ${names.join(", ")} (${outside.length} in all) are not in ambient mode and take connections from anybody.`,
  };
}

function isThere({ namespace, name }: WaypointRef, objects: ObjectSet): boolean {
  return objects.get("Gateway", namespace, name) !== undefined;
}

export const REQUIREMENT_ANALYZER: Analyzer = {
  name: "waypoint.RequirementAnalyzer",
  about: "services that require a waypoint which cannot be used or be passed by",
  analyze: analyzeRequirements,
};
