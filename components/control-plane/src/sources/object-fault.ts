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
  return (parentRefs as readonly unknown[]).slice(0, MAX_PARENTS).flatMap(parentRefOf);
}

const TEXTS = ["group", "kind", "namespace", "sectionName"] as const;

/** None where a field is of another type: what it is about cannot be known then. */
function parentRefOf(value: unknown): readonly ParentRefSpec[] {
  if (typeof value !== "object" || value === null) return [];
  const fields = value as Readonly<Record<string, unknown>>;
  const { name, port } = fields;
  if (typeof name !== "string" || (port !== undefined && typeof port !== "number")) return [];
  const texts = TEXTS.filter((field) => fields[field] !== undefined);
  if (!texts.every((field) => typeof fields[field] === "string")) return [];
  const given = Object.fromEntries(texts.map((field) => [field, fields[field] as string]));
  return [{ name, ...given, ...(port !== undefined && { port }) }];
}
