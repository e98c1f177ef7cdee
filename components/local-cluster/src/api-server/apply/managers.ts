/** `metadata.managedFields`: who owns which fields, read and written. */
import { isObject, type Json, type JsonObject, textAt } from "../json.ts";
import { type FieldSet, fromFieldsV1, toFieldsV1 } from "./field-set.ts";

export interface Manager {
  readonly name: string;
  readonly operation: "Apply" | "Update";
  readonly apiVersion: string;
  readonly subresource: string;
  readonly time: string;
  readonly fields: FieldSet;
}

export type ManagerIdentity = Pick<Manager, "name" | "operation" | "apiVersion" | "subresource">;

/** Entries that are no manager's are dropped: they come from clients. */
export function readManagers(value: Json | undefined): readonly Manager[] {
  if (!Array.isArray(value)) return [];
  return value.flatMap((entry): Manager[] => {
    const fields = fromFieldsV1(isObject(entry) ? entry["fieldsV1"] : undefined);
    const operation = textAt(entry, "operation");
    if (fields === undefined || (operation !== "Apply" && operation !== "Update")) return [];
    return [
      {
        name: textAt(entry, "manager") ?? "unknown",
        operation,
        apiVersion: textAt(entry, "apiVersion") ?? "",
        subresource: textAt(entry, "subresource") ?? "",
        time: textAt(entry, "time") ?? "",
        fields,
      },
    ];
  });
}

export function writeManagers(managers: readonly Manager[]): JsonObject[] {
  return managers.map((manager) => ({
    manager: manager.name,
    operation: manager.operation,
    apiVersion: manager.apiVersion,
    time: manager.time,
    fieldsType: "FieldsV1",
    fieldsV1: toFieldsV1(manager.fields),
    ...(manager.subresource === "" ? {} : { subresource: manager.subresource }),
  }));
}

export function isSame(a: ManagerIdentity, b: ManagerIdentity): boolean {
  // An applier keeps its fields when it moves to another version of the API.
  const sameVersion = a.operation === "Apply" || a.apiVersion === b.apiVersion;
  return a.name === b.name && a.operation === b.operation && a.subresource === b.subresource && sameVersion;
}

export function sameSet(a: FieldSet, b: FieldSet): boolean {
  return a.size === b.size && [...a].every((path) => b.has(path));
}

/** One-time updaters pile up; beyond this many the oldest are put together, as in Kubernetes. */
const MAX_UPDATERS = 10;
const ANCIENT = "ancient-changes";

export function mergeOldest(managers: readonly Manager[]): readonly Manager[] {
  const updaters = managers
    .filter((manager) => manager.operation === "Update")
    .sort((a, b) => (a.time < b.time ? -1 : 1));
  const [first, ...rest] = updaters.slice(0, updaters.length - MAX_UPDATERS + 1);
  if (updaters.length <= MAX_UPDATERS || first === undefined) return managers;
  const old = new Set([first, ...rest]);
  const fields = new Set([...old].flatMap((manager) => [...manager.fields]));
  return [{ ...first, name: ANCIENT, fields }, ...managers.filter((manager) => !old.has(manager))];
}
