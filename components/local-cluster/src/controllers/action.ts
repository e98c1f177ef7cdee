/** What a controller decided to do. Decisions are data; `perform.ts` carries them out. */

import type { KubernetesObject, ResourceType, Subresource } from "@meltemi/kubernetes";

export type Action =
  | { readonly kind: "create"; readonly type: ResourceType; readonly object: KubernetesObject }
  /** Deletes this very object: one of the same name with another uid stays. */
  | {
      readonly kind: "delete";
      readonly type: ResourceType;
      readonly object: KubernetesObject;
      readonly propagation?: "Background" | "Foreground" | "Orphan";
      /** Zero does not wait for a kubelet. */
      readonly gracePeriodSeconds?: number;
    }
  /** JSON merge patch. `guarded` fails with a conflict when the object has changed since it was observed. */
  | {
      readonly kind: "patch";
      readonly type: ResourceType;
      readonly object: KubernetesObject;
      readonly body: Readonly<Record<string, unknown>>;
      readonly subresource?: Subresource;
      readonly guarded: boolean;
    };

export interface Decision {
  readonly actions: readonly Action[];
  /** Look again after this long even if nothing changes: a deadline or a minimum time is running. */
  readonly recheckAfterMs?: number;
}

export const NOTHING: Decision = { actions: [] };

/** Patch of the status subresource, or nothing when the status already says so. */
export function statusAction(
  type: ResourceType,
  object: KubernetesObject & { readonly status?: unknown },
  status: object,
): readonly Action[] {
  if (isWithin(status, object.status)) return [];
  return [{ kind: "patch", type, object, body: { status }, subresource: "status", guarded: false }];
}

/** True when everything that `wanted` says is in `actual`: null and undefined mean absent. */
function isWithin(wanted: unknown, actual: unknown): boolean {
  if (wanted === undefined || wanted === null) return actual === undefined || actual === null;
  if (Array.isArray(wanted))
    return (
      Array.isArray(actual) &&
      wanted.length === actual.length &&
      wanted.every((item, index) => isWithin(item, actual[index]))
    );
  if (typeof wanted !== "object") return wanted === actual;
  if (typeof actual !== "object" || actual === null) return false;
  return Object.entries(wanted).every(([name, value]) =>
    isWithin(value, (actual as Readonly<Record<string, unknown>>)[name]),
  );
}
