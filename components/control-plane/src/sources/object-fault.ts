/** An object that cannot be read, as its status has to speak of it. */

import { type KubernetesObject, nameOf, namespaceOf } from "@meltemi/kubernetes";
import type { ParentRefSpec } from "@meltemi/resources";
import type { ObjectFault } from "../compile/l7/object-fault.ts";

/** The API server's own bound (Gateway API). */
const MAX_PARENTS = 32;

export function faultOf(kind: string, object: KubernetesObject, problems: string): ObjectFault {
  return {
    kind,
    namespace: namespaceOf(object),
    name: nameOf(object),
    generation: object.metadata?.generation ?? 0,
    problems,
    parentRefs: parentRefsOf(object),
  };
}

/** Whatever else is wrong with a route: whose it wants to be can mostly be read. */
function parentRefsOf(object: KubernetesObject): readonly ParentRefSpec[] {
  const { spec } = object as { readonly spec?: unknown };
  const { parentRefs } = (typeof spec === "object" && spec !== null ? spec : {}) as {
    readonly parentRefs?: unknown;
  };
  if (!Array.isArray(parentRefs)) return [];
  return parentRefs.slice(0, MAX_PARENTS).filter(isParentRef);
}

function isParentRef(value: unknown): value is ParentRefSpec {
  if (typeof value !== "object" || value === null) return false;
  const { name, port, ...others } = value as Readonly<Record<string, unknown>>;
  const texts = [others["group"], others["kind"], others["namespace"], others["sectionName"]];
  return (
    typeof name === "string" &&
    (port === undefined || typeof port === "number") &&
    texts.every((text) => text === undefined || typeof text === "string")
  );
}
