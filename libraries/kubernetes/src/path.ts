/** Paths of the Kubernetes API. */

import { MeshError } from "@meltemi/runtime";
import { type ObjectRef, type ResourceType, refNamespace } from "./resource-type.ts";

export type Query = Readonly<Record<string, string | number | boolean | undefined>>;

/** Path of a kind's collection: of one namespace, or of all when none is given. */
export function collectionPath(type: ResourceType, namespace: string | undefined): string {
  const root = type.group === "" ? `/api/${type.version}` : `/apis/${type.group}/${type.version}`;
  if (!type.namespaced || namespace === undefined || namespace === "") return `${root}/${type.plural}`;
  return `${root}/namespaces/${segment(namespace)}/${type.plural}`;
}

/** Path of one object, or of a subresource of it. Throws INPUT_INVALID when a namespaced kind comes without namespace. */
export function objectPath(type: ResourceType, ref: ObjectRef, subresource?: string): string {
  const namespace = refNamespace(type, ref);
  const path = `${collectionPath(type, namespace)}/${segment(ref.name)}`;
  return subresource === undefined ? path : `${path}/${subresource}`;
}

export function withQuery(path: string, query: Query): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined && value !== "") parameters.set(name, String(value));
  }
  const text = parameters.toString();
  return text === "" ? path : `${path}?${text}`;
}

/** One path segment. Dots alone would climb; an empty one would name the collection. */
function segment(name: string): string {
  if (name === "" || name === "." || name === ".." || name.length > 253)
    throw new MeshError(
      "INPUT_INVALID",
      `name ${JSON.stringify(name.slice(0, 300))}: expected 1 to 253 characters`,
    );
  return encodeURIComponent(name);
}
