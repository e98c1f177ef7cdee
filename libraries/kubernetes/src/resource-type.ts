/** What a kind of Kubernetes object is called on the API, and the shape of its objects. */

import { MeshError } from "@meltemi/runtime";
import type { ListMeta, ObjectMeta } from "kubernetes-types/meta/v1.js";

export type { ListMeta, ObjectMeta };

/** What every object has. An interface of an own kind extends this. */
export interface KubernetesObject {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly metadata?: ObjectMeta;
}

/** An object of a custom kind as it came from the API: `spec` is outside data and must be parsed before use. */
export interface CustomObject extends KubernetesObject {
  readonly spec?: unknown;
  readonly status?: unknown;
}

declare const shape: unique symbol;

/** Names of a kind on the API. `T` is the shape of its objects; it exists for the checker alone. */
export interface ResourceType<T extends KubernetesObject = KubernetesObject> {
  /** Empty for the core group. */
  readonly group: string;
  readonly version: string;
  readonly plural: string;
  readonly kind: string;
  readonly namespaced: boolean;
  readonly [shape]?: T;
}

/** Which object. `namespace` is left out for kinds that are not namespaced. */
export interface ObjectRef {
  readonly name: string;
  readonly namespace?: string | undefined;
}

/** Namespace to put into a path: undefined for cluster-wide kinds; throws INPUT_INVALID when a namespaced kind has none. */
export function refNamespace(type: ResourceType, ref: ObjectRef): string | undefined {
  if (!type.namespaced) return undefined;
  if (ref.namespace === undefined || ref.namespace === "")
    throw new MeshError("INPUT_INVALID", `${type.kind} ${ref.name}: expected a namespace, got none`);
  return ref.namespace;
}

/** `v1`, `apps/v1`. */
export function apiVersionOf(type: Pick<ResourceType, "group" | "version">): string {
  return type.group === "" ? type.version : `${type.group}/${type.version}`;
}

/** Name of an object; empty when it has none yet (`generateName`). */
export function nameOf(object: KubernetesObject): string {
  return object.metadata?.name ?? "";
}

/** Namespace of an object; empty when its kind has none. */
export function namespaceOf(object: KubernetesObject): string {
  return object.metadata?.namespace ?? "";
}

/** Key of an object in a store: `namespace/name`, or `name` when its kind is not namespaced. */
export function keyOf(object: KubernetesObject): string {
  return keyOfRef({ name: nameOf(object), namespace: namespaceOf(object) });
}

/** As {@link keyOf}, for a reference. */
export function keyOfRef(ref: ObjectRef): string {
  return ref.namespace === undefined || ref.namespace === "" ? ref.name : `${ref.namespace}/${ref.name}`;
}

/** Reference of an object. */
export function refOf(object: KubernetesObject): ObjectRef {
  const namespace = namespaceOf(object);
  return namespace === "" ? { name: nameOf(object) } : { name: nameOf(object), namespace };
}

/** The reverse of {@link keyOfRef}. */
export function parseKey(key: string): ObjectRef {
  const slash = key.indexOf("/");
  return slash < 0 ? { name: key } : { namespace: key.slice(0, slash), name: key.slice(slash + 1) };
}
