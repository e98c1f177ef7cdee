/** Crediting the fields that a create, update or patch changed to whoever changed them. */
import type { Json, JsonObject } from "../json.ts";
import type { KubeObject } from "../kube-object.ts";
import type { Schema } from "../schema/schema.ts";
import { difference, type FieldPath, flatten, without } from "./field-set.ts";
import {
  isSame,
  type Manager,
  type ManagerIdentity,
  mergeOldest,
  readManagers,
  sameSet,
  writeManagers,
} from "./managers.ts";

/** Fields of `metadata` that the server keeps, and that nobody owns. */
const UNOWNED_METADATA = [
  "creationTimestamp",
  "deletionGracePeriodSeconds",
  "deletionTimestamp",
  "generation",
  "managedFields",
  "name",
  "namespace",
  "resourceVersion",
  "selfLink",
  "uid",
];

/** Which half of an object a writer can own: the status belongs to those who write it through its subresource. */
export type Half = "whole" | "without-status" | "only-status";

export function halfOf(hasStatus: boolean, subresource: string | undefined): Half {
  if (!hasStatus) return "whole";
  return subresource === "status" ? "only-status" : "without-status";
}

/** What can be owned of an object, by place. */
export function ownable(schema: Schema, object: KubeObject, half: Half): Map<FieldPath, Json> {
  const { apiVersion: _, kind: __, metadata, status, ...desired } = object;
  const rest: JsonObject = half === "only-status" ? {} : { ...desired };
  if (half !== "without-status" && status !== undefined) rest["status"] = status;
  const owned: JsonObject = {};
  for (const [key, value] of Object.entries(metadata))
    if (!UNOWNED_METADATA.includes(key)) owned[key] = value;
  return flatten(schema, Object.keys(owned).length === 0 ? rest : { metadata: owned, ...rest });
}

export interface Tracking {
  readonly schema: Schema;
  readonly manager: ManagerIdentity;
  readonly half: Half;
  readonly now: string;
}

/**
 * Writes `next.metadata.managedFields`: changed fields go to the manager, from everybody else.
 * A body that brings an empty list along wipes the books clean; one that brings entries corrects them.
 */
export function trackUpdate(tracking: Tracking, previous: KubeObject | undefined, next: KubeObject): void {
  const before =
    previous === undefined ? new Map<FieldPath, Json>() : ownable(tracking.schema, previous, tracking.half);
  const after = ownable(tracking.schema, next, tracking.half);
  const { changed, removed } = difference(before, after);
  const brought = next.metadata["managedFields"];
  const base = readManagers(brought === undefined ? previous?.metadata["managedFields"] : brought);
  const own = base.find((manager) => isSame(manager, tracking.manager));
  const others = base
    .filter((manager) => manager !== own)
    .map((manager) => ({ ...manager, fields: without(manager.fields, changed, removed) }))
    .filter((manager) => manager.fields.size > 0);
  const fields = new Set([...without(own?.fields ?? new Set(), removed), ...changed]);
  const managers: Manager[] = [...others];
  if (fields.size > 0)
    managers.push({ ...tracking.manager, fields, time: timeOf(own, fields, tracking.now) });
  setManagers(next, mergeOldest(managers));
}

/** The time of an entry says when its fields last changed. */
export function timeOf(before: Manager | undefined, fields: ReadonlySet<FieldPath>, now: string): string {
  return before !== undefined && sameSet(before.fields, fields) ? before.time : now;
}

export function setManagers(object: KubeObject, managers: readonly Manager[]): void {
  if (managers.length === 0) delete object.metadata["managedFields"];
  else object.metadata["managedFields"] = writeManagers(managers);
}
