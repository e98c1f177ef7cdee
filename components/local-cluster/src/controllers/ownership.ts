/** Owner references: who controls an object, and how to say so. */

import { apiVersionOf, type KubernetesObject, nameOf, type ResourceType } from "@meltemi/kubernetes";
import type { OwnerReference } from "kubernetes-types/meta/v1.js";

/** Index of every informer here: uids of all owners. */
export const BY_OWNER = "owner";
/** Index of every informer here: the namespace. */
export const BY_NAMESPACE = "namespace";

export function ownersOf(object: KubernetesObject): readonly OwnerReference[] {
  return object.metadata?.ownerReferences ?? [];
}

/** The one owner that manages the object, if it has one. */
export function controllerOf(object: KubernetesObject): OwnerReference | undefined {
  return ownersOf(object).find((owner) => owner.controller === true);
}

export function isControlledBy(object: KubernetesObject, owner: KubernetesObject): boolean {
  return controllerOf(object)?.uid === uidOf(owner);
}

export function controllerReference(type: ResourceType, owner: KubernetesObject): OwnerReference {
  return {
    apiVersion: apiVersionOf(type),
    kind: type.kind,
    name: nameOf(owner),
    uid: uidOf(owner),
    controller: true,
    blockOwnerDeletion: true,
  };
}

export function uidOf(object: KubernetesObject): string {
  return object.metadata?.uid ?? "";
}

/** Marked for deletion, held by finalizers or a grace period. */
export function isTerminating(object: KubernetesObject): boolean {
  return object.metadata?.deletionTimestamp !== undefined;
}
