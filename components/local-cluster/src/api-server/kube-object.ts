/** The shape that every Kubernetes object shares (meta/v1 ObjectMeta), and reading it. */
import { at, type JsonObject, listAt, textAt } from "./json.ts";

/** An object whose `metadata` was checked to be an object. */
export interface KubeObject extends JsonObject {
  metadata: JsonObject;
}

export function nameOf(object: JsonObject): string {
  return textAt(object, "metadata", "name") ?? "";
}

export function namespaceOf(object: JsonObject): string {
  return textAt(object, "metadata", "namespace") ?? "";
}

export function uidOf(object: JsonObject): string {
  return textAt(object, "metadata", "uid") ?? "";
}

export function isTerminating(object: JsonObject): boolean {
  return at(object, "metadata", "deletionTimestamp") !== undefined;
}

export function finalizersOf(object: JsonObject): string[] {
  return listAt(object, "metadata", "finalizers").filter((item) => typeof item === "string");
}
