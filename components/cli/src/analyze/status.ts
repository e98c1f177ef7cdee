/** IST0171: what the control plane says itself of what it was given (reference: l7-and-cli §3.5). */

import { isWaypointGateway, missingWaypointOf } from "../mesh-objects/ambient.ts";
import type { MeshObject } from "../mesh-objects/object-set.ts";
import { targetsOf } from "../mesh-objects/policies.ts";
import { objectsAt, textAt } from "../output/json.ts";
import type { AnalysisContext, Analyzer } from "./analyzer.ts";
import { type Message, message } from "./message.ts";

function* analyzeConditions(context: AnalysisContext): Generator<Message> {
  const { objects } = context;
  for (const object of objects.everything()) {
    if (object.kind === "Pod" || object.kind === "Namespace" || object.kind === "Deployment") continue;
    const isOfOthers =
      (object.kind === "Gateway" && !isWaypointGateway(object)) || object.kind === "GatewayClass";
    if (isOfOthers) continue;
    const own = objectsAt(object.status, "conditions");
    const ofParents = objectsAt(object.status, "parents").flatMap((parent) =>
      objectsAt(parent, "conditions"),
    );
    for (const condition of [...own, ...ofParents]) {
      const [type, reason] = [textAt(condition, "type"), textAt(condition, "reason")];
      if (followsFromMissingWaypoint(type, object, context)) continue;
      const isNegative = textAt(condition, "status") === "False" || reason === "PartiallyInvalid";
      if (isNegative && NEGATIVE_TYPES.has(type))
        yield message(
          "negativeCondition",
          object,
          `${type}=${textAt(condition, "status")} (${reason}): ${textAt(condition, "message")}`,
        );
    }
  }
}

/** The label that names a waypoint which is not there is told of with what follows from it (IST0101). */
function followsFromMissingWaypoint(
  type: string,
  object: MeshObject,
  { objects, hasCluster }: AnalysisContext,
): boolean {
  if (!hasCluster) return false;
  if (type === "istio.io/WaypointBound") return missingWaypointOf(object, objects) !== undefined;
  const targets = type === "WaypointAccepted" ? targetsOf(object) : [];
  return (
    targets.length > 0 &&
    targets.every(({ kind, namespace, name }) => {
      const target = objects.get(kind, namespace, name);
      return target !== undefined && missingWaypointOf(target, objects) !== undefined;
    })
  );
}

const NEGATIVE_TYPES = new Set([
  "istio.io/WaypointBound",
  "ZtunnelAccepted",
  "WaypointAccepted",
  "Accepted",
  "Programmed",
  "ResolvedRefs",
]);

export const STATUS_ANALYZER: Analyzer = {
  name: "status.ConditionAnalyzer",
  about: "conditions by which the control plane says what is wrong",
  analyze: analyzeConditions,
};
