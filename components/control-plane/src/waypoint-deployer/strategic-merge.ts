/**
 * Strategic merge patch over the kinds that a waypoint consists of: maps merge, lists of named things merge by name, other lists
 * are replaced, null removes. Directives: `$patch` (replace, delete, merge), `$retainKeys`, `$deleteFromPrimitiveList/<field>`;
 * `$setElementOrder/<field>` says nothing that matters here. Source: Kubernetes' strategic merge patch notes in its API conventions.
 */

import { MeshError } from "@meltemi/runtime";

/** A tree as YAML gives it. */
export type Tree = { readonly [key: string]: unknown };

/** List fields of these kinds → what names an element. Others are atomic. `ports`: by what its elements have. */
const MERGE_KEYS: ReadonlyMap<string, readonly string[]> = new Map([
  ["containers", ["name"]],
  ["initContainers", ["name"]],
  ["ephemeralContainers", ["name"]],
  ["env", ["name"]],
  ["ports", ["containerPort", "port"]],
  ["volumes", ["name"]],
  ["volumeMounts", ["mountPath"]],
  ["volumeDevices", ["devicePath"]],
  ["topologySpreadConstraints", ["topologyKey"]],
  ["imagePullSecrets", ["name"]],
  ["hostAliases", ["ip"]],
  ["schedulingGates", ["name"]],
  ["resourceClaims", ["name"]],
  ["secrets", ["name"]],
  ["ownerReferences", ["uid"]],
]);
const PRIMITIVE_SETS: ReadonlySet<string> = new Set(["finalizers"]);
const DELETE_PRIMITIVES = "$deleteFromPrimitiveList/";

export function isTree(value: unknown): value is Tree {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A new tree; neither argument changes. Throws INPUT_INVALID for a directive or an element that makes no sense. */
export function strategicMerge(target: Tree, patch: Tree): Tree {
  const directive = patch["$patch"];
  if (directive === "replace") return stripped(patch);
  if (directive === "delete") return {};
  if (directive !== undefined && directive !== "merge")
    throw invalid(`$patch: expected replace, delete or merge, got ${JSON.stringify(directive)}`);
  const result = new Map(Object.entries(target));
  const retained = patch["$retainKeys"];
  if (Array.isArray(retained))
    for (const key of Object.keys(target)) if (!retained.includes(key)) result.delete(key);
  for (const [key, value] of Object.entries(patch)) {
    if (key.startsWith(DELETE_PRIMITIVES))
      deletePrimitives(result, key.slice(DELETE_PRIMITIVES.length), value);
    else if (key.startsWith("$")) continue;
    else if (value === null) result.delete(key);
    else result.set(key, mergeField(key, result.get(key), value));
  }
  return Object.fromEntries(result);
}

function deletePrimitives(result: Map<string, unknown>, field: string, values: unknown): void {
  const list = result.get(field);
  if (!Array.isArray(list) || !Array.isArray(values)) return;
  result.set(
    field,
    list.filter((item) => !values.includes(item)),
  );
}

function mergeField(field: string, current: unknown, value: unknown): unknown {
  if (isTree(value)) return strategicMerge(isTree(current) ? current : {}, value);
  if (!Array.isArray(value)) return value;
  const list: readonly unknown[] = Array.isArray(current) ? current : [];
  const keys = MERGE_KEYS.get(field);
  if (keys !== undefined) return mergeList(field, keys, list, value);
  if (PRIMITIVE_SETS.has(field)) return [...new Set([...list, ...value])];
  return value.map((item) => (isTree(item) ? stripped(item) : item));
}

function mergeList(
  field: string,
  keys: readonly string[],
  list: readonly unknown[],
  patch: readonly unknown[],
): readonly unknown[] {
  const isReplacement = (item: unknown): boolean =>
    isTree(item) && item["$patch"] === "replace" && Object.keys(item).length === 1;
  let result = patch.some(isReplacement) ? [] : [...list];
  for (const item of patch) {
    if (isReplacement(item)) continue;
    const key = isTree(item) ? keys.find((each) => item[each] !== undefined) : undefined;
    if (!isTree(item) || key === undefined)
      throw invalid(`${field}: expected objects that each have ${keys.join(" or ")}`);
    const isSame = (other: unknown): boolean => isTree(other) && other[key] === item[key];
    if (item["$patch"] === "delete") {
      result = result.filter((other) => !isSame(other));
      continue;
    }
    const at = result.findIndex(isSame);
    const present = result[at];
    const merged = strategicMerge(isTree(present) ? present : {}, item);
    result = at < 0 ? [...result, merged] : result.with(at, merged);
  }
  return result;
}

/** Without directives, at any depth of maps. */
function stripped(tree: Tree): Tree {
  const entries = Object.entries(tree).filter(([key, value]) => !key.startsWith("$") && value !== null);
  return Object.fromEntries(entries.map(([key, value]) => [key, isTree(value) ? stripped(value) : value]));
}

function invalid(problem: string): MeshError {
  return new MeshError("INPUT_INVALID", `strategic merge patch: ${problem}`);
}
