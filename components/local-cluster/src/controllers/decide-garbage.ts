/** Garbage collection by owner references: what goes when its owners go, and when a held owner may go. */

import type { KubernetesObject, ResourceType } from "@meltemi/kubernetes";
import type { OwnerReference } from "kubernetes-types/meta/v1.js";
import { type Action, type Decision, NOTHING } from "./action.ts";
import { isTerminating, ownersOf, uidOf } from "./ownership.ts";

/** A kind and one of its objects. */
export interface Item {
  readonly type: ResourceType;
  readonly object: KubernetesObject;
}

export type OwnerState =
  | { readonly kind: "alive" }
  /** Certainly gone: the server said so, for this uid. */
  | { readonly kind: "absent" }
  /** Terminating, and waiting for its dependents (foreground deletion). */
  | { readonly kind: "waiting" }
  /** Its kind is not served or could not be asked: nothing may be concluded. */
  | { readonly kind: "unknown" };

export const FOREGROUND_FINALIZER = "foregroundDeletion";
export const ORPHAN_FINALIZER = "orphan";

/** An object whose owners are all gone, or wait for it to go, is deleted; references to some that are gone are cut. */
export function decideDependent(item: Item, stateOf: (owner: OwnerReference) => OwnerState): Decision {
  const owners = ownersOf(item.object);
  if (owners.length === 0 || isTerminating(item.object)) return NOTHING;
  const states = owners.map((owner) => ({ owner, state: stateOf(owner).kind }));
  if (states.some(({ state }) => state === "unknown")) return NOTHING;
  const kept = states.filter(({ state }) => state === "alive");
  const waiting = states.filter(({ state }) => state === "waiting");
  if (kept.length > 0) {
    if (kept.length === states.length) return NOTHING;
    return {
      actions: [
        ownersPatch(
          item,
          kept.map(({ owner }) => owner),
        ),
      ],
    };
  }
  // Dependents of a waiting owner must really be gone before it goes, and so must theirs.
  const propagation = waiting.length > 0 ? "Foreground" : "Background";
  return { actions: [{ kind: "delete", type: item.type, object: item.object, propagation }] };
}

/** A terminating object that is held for its dependents: let them go first, or let go of them. */
export function decideHeldOwner(item: Item, dependents: readonly Item[]): Decision {
  const finalizers = item.object.metadata?.finalizers ?? [];
  if (!isTerminating(item.object)) return NOTHING;
  if (finalizers.includes(ORPHAN_FINALIZER)) {
    const cuts = dependents.map((dependent) => ownersPatch(dependent, othersThan(dependent, item)));
    return { actions: [...cuts, withoutFinalizer(item, ORPHAN_FINALIZER)] };
  }
  if (!finalizers.includes(FOREGROUND_FINALIZER)) return NOTHING;
  const blocking = dependents.some((dependent) => isBlocking(dependent, item));
  return blocking ? NOTHING : { actions: [withoutFinalizer(item, FOREGROUND_FINALIZER)] };
}

function isBlocking(dependent: Item, owner: Item): boolean {
  return ownersOf(dependent.object).some(
    (reference) => reference.uid === uidOf(owner.object) && reference.blockOwnerDeletion === true,
  );
}

function othersThan(dependent: Item, owner: Item): readonly OwnerReference[] {
  return ownersOf(dependent.object).filter((reference) => reference.uid !== uidOf(owner.object));
}

function ownersPatch(item: Item, ownerReferences: readonly OwnerReference[]): Action {
  return {
    kind: "patch",
    type: item.type,
    object: item.object,
    body: { metadata: { ownerReferences: orNull(ownerReferences) } },
    guarded: true,
  };
}

function withoutFinalizer(item: Item, finalizer: string): Action {
  const finalizers = (item.object.metadata?.finalizers ?? []).filter((each) => each !== finalizer);
  return {
    kind: "patch",
    type: item.type,
    object: item.object,
    body: { metadata: { finalizers: orNull(finalizers) } },
    guarded: true,
  };
}

/** In a merge patch null removes the field; an empty list would stay as one. */
function orNull<T>(list: readonly T[]): readonly T[] | null {
  return list.length === 0 ? null : list;
}
