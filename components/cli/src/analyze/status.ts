/** IST0171: what the control plane says itself of what it was given (reference: l7-and-cli §3.5). */

import { isWaypointGateway } from "../mesh-objects/ambient.ts";
import { objectsAt, textAt } from "../output/json.ts";
import type { AnalysisContext, Analyzer } from "./analyzer.ts";
import { type Message, message } from "./message.ts";

function* analyzeConditions({ objects }: AnalysisContext): Generator<Message> {
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
