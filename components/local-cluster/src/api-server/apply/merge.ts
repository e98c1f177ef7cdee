/** Merging an applied configuration into the live object, and taking out what its owner no longer applies. */
import { clone, isObject, type Json, type JsonObject, sameJson, setKey } from "../json.ts";
import { propertySchema, resolveSchema, type Schema } from "../schema/schema.ts";
import { type FieldPath, joinPath, keyOf, shapeOf, splitPath } from "./field-set.ts";

/** A new value; lists by key and sets merge, everything atomic is replaced. */
export function mergeApplied(schema: Schema, live: Json | undefined, applied: Json): Json {
  const shape = shapeOf(schema, applied);
  switch (shape.kind) {
    case "leaf":
      // What is empty says nothing about what others own in it.
      return saysNothing(schema, live, applied) ? clone(live) : clone(applied);
    case "object": {
      const result: JsonObject = isObject(live) ? { ...live } : {};
      for (const [key, child] of Object.entries(shape.value)) {
        const current = Object.hasOwn(result, key) ? result[key] : undefined;
        setKey(result, key, mergeApplied(propertySchema(shape.schema, key) ?? {}, current, child));
      }
      return result;
    }
    case "set": {
      const current = Array.isArray(live) ? live : [];
      return [
        ...shape.value,
        ...current.filter((item) => !shape.value.some((wanted) => sameJson(wanted, item))),
      ];
    }
    case "keyed": {
      const keyed = (items: readonly Json[]): Map<string, Json> =>
        new Map(items.map((item, index) => [keyOf(shape.items, shape.keys, item) ?? `#${index}`, item]));
      return mergeKeyed(shape.items, keyed(Array.isArray(live) ? live : []), keyed(shape.value));
    }
  }
}

/** In the applied order; what only the live list has keeps its place before what comes after it there. */
function mergeKeyed(
  items: Schema,
  live: ReadonlyMap<string, Json>,
  applied: ReadonlyMap<string, Json>,
): Json[] {
  const merged: Json[] = [];
  const left = new Map(live);
  const addUntilShared = (): void => {
    for (const [key, item] of left) {
      if (applied.has(key)) return;
      merged.push(item);
      left.delete(key);
    }
  };
  for (const [key, item] of applied) {
    addUntilShared();
    merged.push(mergeApplied(items, live.get(key), item));
    left.delete(key);
  }
  addUntilShared();
  return merged;
}

function saysNothing(schema: Schema, live: Json | undefined, applied: Json): live is Json {
  if (Array.isArray(applied)) {
    const type = resolveSchema(schema)["x-kubernetes-list-type"];
    return applied.length === 0 && Array.isArray(live) && (type === "map" || type === "set");
  }
  return isObject(applied) && Object.keys(applied).length === 0 && isGranular(schema, live);
}

function isGranular(schema: Schema, live: Json | undefined): live is JsonObject {
  return isObject(live) && resolveSchema(schema)["x-kubernetes-map-type"] !== "atomic";
}

/**
 * Removes places from `object`, in place: whole elements before what lies in them, and containers that are left empty.
 * `keep` says that somebody else owns a place, or something below it.
 */
export function removePlaces(
  schema: Schema,
  object: JsonObject,
  places: Iterable<FieldPath>,
  keep: (path: FieldPath) => boolean,
): void {
  const wholeFirst = [...places].sort((a, b) => splitPath(a).length - splitPath(b).length);
  for (const path of wholeFirst) if (!keep(path)) removePlace(schema, object, splitPath(path), "", keep);
}

/** True when the container is empty after it. */
function removePlace(
  schema: Schema,
  container: Json,
  path: readonly string[],
  at: FieldPath,
  keep: (path: FieldPath) => boolean,
): boolean {
  const [element, ...rest] = path;
  if (element === undefined) return false;
  const here = joinPath(at, element);
  if (element.startsWith("f:") && isObject(container)) {
    const key = element.slice(2);
    const child = Object.hasOwn(container, key) ? container[key] : undefined;
    if (child === undefined) return false;
    const empty =
      rest.length === 0 ||
      removePlace(propertySchema(resolveSchema(schema), key) ?? {}, child, rest, here, keep);
    if (empty && !keep(here)) delete container[key];
    return Object.keys(container).length === 0;
  }
  if (!Array.isArray(container)) return false;
  const resolved = resolveSchema(schema);
  const items = resolved.items ?? {};
  const index = container.findIndex((item) => elementOf(resolved, items, item) === element);
  if (index < 0) return false;
  const child = container[index] ?? null;
  // An element stays as long as its own place is owned, whatever is taken out of it; its keys stay with it.
  const [only = ""] = rest;
  if (rest.length === 1 && resolved["x-kubernetes-list-map-keys"]?.includes(only.slice(2))) return false;
  if (rest.length === 0) container.splice(index, 1);
  else removePlace(items, child, rest, here, keep);
  return container.length === 0;
}

function elementOf(schema: Schema, items: Schema, item: Json): string | undefined {
  const keys = schema["x-kubernetes-list-map-keys"];
  return keys === undefined ? `v:${JSON.stringify(item)}` : keyOf(items, keys, item);
}
