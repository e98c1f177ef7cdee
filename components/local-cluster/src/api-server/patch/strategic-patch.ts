/**
 * Strategic merge patch: like a JSON merge patch, but lists of built-in types that have a merge key merge element by
 * element. Directives: `$patch` (replace, delete, merge), `$deleteFromPrimitiveList/<field>`, `$setElementOrder/<field>`,
 * `$retainKeys`. Source: Kubernetes' strategic merge patch notes in its API conventions.
 */
import { isObject, type Json, type JsonObject, sameJson, setKey } from "../json.ts";
import { badRequest } from "../refusal.ts";
import { propertySchema, resolveSchema, type Schema } from "../schema/schema.ts";

const DELETE_PRIMITIVES = "$deleteFromPrimitiveList/";
const ELEMENT_ORDER = "$setElementOrder/";
const RETAIN_KEYS = "$retainKeys";
const PATCH = "$patch";

/** A new value; neither argument is changed. @throws Refusal 400 for directives that make no sense */
export function strategicPatch(schema: Schema, target: Json | undefined, patch: Json): Json {
  if (!isObject(patch)) throw badRequest("strategic merge patch: expected an object");
  return mergeObject(resolveSchema(schema), isObject(target) ? target : {}, patch);
}

function mergeObject(schema: Schema, target: JsonObject, patch: JsonObject): Json {
  const directive = patch[PATCH];
  if (directive === "replace") return withoutDirectives(patch);
  if (directive === "delete") return {};
  if (directive !== undefined && directive !== "merge") {
    throw badRequest(
      `strategic merge patch: expected $patch to be replace, delete or merge, got ${JSON.stringify(directive)}`,
    );
  }
  const result: JsonObject = { ...target };
  retainKeys(result, patch[RETAIN_KEYS]);
  for (const [key, value] of Object.entries(patch)) {
    if (key.startsWith(DELETE_PRIMITIVES))
      deletePrimitives(result, key.slice(DELETE_PRIMITIVES.length), value);
  }
  for (const [key, value] of Object.entries(patch)) {
    if (key.startsWith("$")) continue;
    const property = resolveSchema(propertySchema(schema, key) ?? {});
    if (value === null) delete result[key];
    else
      setKey(result, key, mergeField(property, Object.hasOwn(result, key) ? result[key] : undefined, value));
  }
  for (const [key, value] of Object.entries(patch)) {
    if (key.startsWith(ELEMENT_ORDER)) reorder(schema, result, key.slice(ELEMENT_ORDER.length), value);
  }
  return result;
}

function mergeField(schema: Schema, current: Json | undefined, value: Json): Json {
  if (isObject(value)) {
    if (isObject(current) && schema["x-kubernetes-patch-strategy"] === "replace")
      return withoutDirectives(value);
    return mergeObject(schema, isObject(current) ? current : {}, value);
  }
  if (!Array.isArray(value)) return value;
  if (!mergesLists(schema)) return value.map((item) => (isObject(item) ? withoutDirectives(item) : item));
  const list = Array.isArray(current) ? current : [];
  const key = schema["x-kubernetes-patch-merge-key"];
  return key === undefined ? mergePrimitives(list, value) : mergeList(schema, key, list, value);
}

function mergesLists(schema: Schema): boolean {
  return (schema["x-kubernetes-patch-strategy"] ?? "").split(",").includes("merge");
}

function mergePrimitives(list: readonly Json[], added: readonly Json[]): Json[] {
  return [...list, ...added.filter((item) => !list.some((present) => sameJson(present, item)))];
}

function mergeList(schema: Schema, key: string, list: readonly Json[], patch: readonly Json[]): Json[] {
  const replace = patch.some(
    (item) => isObject(item) && item[PATCH] === "replace" && Object.keys(item).length === 1,
  );
  const items = resolveSchema(schema.items ?? {});
  let result: Json[] = replace ? [] : [...list];
  for (const item of patch) {
    if (!isObject(item)) throw badRequest("strategic merge patch: expected a list of objects");
    if (item[PATCH] === "replace" && Object.keys(item).length === 1) continue;
    const value = item[key];
    if (value === undefined)
      throw badRequest(`strategic merge patch: an element has no merge key ${JSON.stringify(key)}`);
    const matches = (present: Json): boolean => isObject(present) && sameJson(present[key], value);
    if (item[PATCH] === "delete") result = result.filter((present) => !matches(present));
    else result = mergeElement(items, result, result.findIndex(matches), item);
  }
  return result;
}

function mergeElement(items: Schema, list: readonly Json[], index: number, item: JsonObject): Json[] {
  const present = list[index];
  const merged = mergeObject(items, isObject(present) ? present : {}, item);
  return index < 0 ? [...list, merged] : list.with(index, merged);
}

function retainKeys(result: JsonObject, keys: Json | undefined): void {
  if (!Array.isArray(keys)) return;
  for (const key of Object.keys(result)) if (!keys.includes(key)) delete result[key];
}

function deletePrimitives(result: JsonObject, field: string, values: Json): void {
  const list = result[field];
  if (!Array.isArray(list) || !Array.isArray(values)) return;
  result[field] = list.filter((item) => !values.some((value) => sameJson(value, item)));
}

/** Elements that the order names come in it; those only the server has keep their places. */
function reorder(schema: Schema, result: JsonObject, field: string, order: Json): void {
  const list = result[field];
  if (!Array.isArray(list) || !Array.isArray(order)) return;
  const key = resolveSchema(propertySchema(schema, field) ?? {})["x-kubernetes-patch-merge-key"];
  const identity = (item: Json): Json | undefined =>
    key === undefined || !isObject(item) ? item : item[key];
  const rank = (item: Json): number =>
    order.findIndex((wanted) => sameJson(identity(wanted), identity(item)));
  const named = list.filter((item) => rank(item) >= 0).sort((a, b) => rank(a) - rank(b));
  result[field] = list.map((item) => (rank(item) < 0 ? item : (named.shift() ?? item)));
}

function withoutDirectives(value: JsonObject): JsonObject {
  const result: JsonObject = {};
  for (const [key, child] of Object.entries(value)) {
    if (key.startsWith("$")) continue;
    setKey(result, key, isObject(child) ? withoutDirectives(child) : child);
  }
  return result;
}
