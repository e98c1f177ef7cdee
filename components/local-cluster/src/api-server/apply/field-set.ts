/**
 * Which fields of an object somebody owns: paths such as `f:spec, k:{"name":"web"}, f:image`, in the elements of
 * `FieldsV1` (structured merge diff): `f:` a field or map key, `k:` a list element by its keys, `v:` an element of a set.
 */
import { isObject, type Json, type JsonObject, sameJson, setKey } from "../json.ts";
import { KEY_DEFAULTS } from "../schema/merge-keys.ts";
import { propertySchema, resolveSchema, type Schema } from "../schema/schema.ts";

/** Elements joined by `SEPARATOR`, which no element holds. */
export type FieldPath = string;
export type FieldSet = ReadonlySet<FieldPath>;

const SEPARATOR = "\0";

export function joinPath(parent: FieldPath, element: string): FieldPath {
  const clean = element.replaceAll(SEPARATOR, "\\0");
  return parent === "" ? clean : `${parent}${SEPARATOR}${clean}`;
}

export function splitPath(path: FieldPath): readonly string[] {
  return path.split(SEPARATOR);
}

/** How a value merges, by its schema. */
export type Shape =
  | { readonly kind: "leaf" }
  | { readonly kind: "object"; readonly schema: Schema; readonly value: JsonObject }
  | {
      readonly kind: "keyed";
      readonly items: Schema;
      readonly keys: readonly string[];
      readonly value: readonly Json[];
    }
  | { readonly kind: "set"; readonly value: readonly Json[] };

export function shapeOf(use: Schema, value: Json): Shape {
  const schema = resolveSchema(use);
  if (isObject(value)) {
    const atomic = schema["x-kubernetes-map-type"] === "atomic" || Object.keys(value).length === 0;
    return atomic ? { kind: "leaf" } : { kind: "object", schema, value };
  }
  if (!Array.isArray(value) || value.length === 0) return { kind: "leaf" };
  if (schema["x-kubernetes-list-type"] === "set") return { kind: "set", value };
  const keys = schema["x-kubernetes-list-map-keys"];
  if (schema["x-kubernetes-list-type"] !== "map" || keys === undefined) return { kind: "leaf" };
  const items = schema.items ?? {};
  return value.every((item) => keyOf(items, keys, item) !== undefined)
    ? { kind: "keyed", items, keys, value }
    : { kind: "leaf" };
}

/** `k:{"containerPort":80,"protocol":"TCP"}`; undefined for an element without its keys. */
export function keyOf(itemSchema: Schema, keys: readonly string[], item: Json): string | undefined {
  if (!isObject(item)) return undefined;
  const found: JsonObject = {};
  const properties = resolveSchema(itemSchema).properties;
  for (const key of [...keys].sort()) {
    const value = item[key] ?? properties?.[key]?.default ?? KEY_DEFAULTS[key];
    if (value === undefined) return undefined;
    found[key] = value;
  }
  return `k:${JSON.stringify(found)}`;
}

/** Every owned place of a value with what is there: leaves with their values, elements of keyed lists with `true`. */
export function flatten(schema: Schema, value: Json): Map<FieldPath, Json> {
  const found = new Map<FieldPath, Json>();
  collect(schema, value, "", found);
  return found;
}

function collect(schema: Schema, value: Json, path: FieldPath, found: Map<FieldPath, Json>): void {
  const shape = shapeOf(schema, value);
  switch (shape.kind) {
    case "leaf":
      if (path !== "") found.set(path, value);
      return;
    case "object":
      for (const [key, child] of Object.entries(shape.value)) {
        collect(propertySchema(shape.schema, key) ?? {}, child, joinPath(path, `f:${key}`), found);
      }
      return;
    case "set":
      for (const item of shape.value) found.set(joinPath(path, `v:${JSON.stringify(item)}`), item);
      return;
    case "keyed":
      for (const item of shape.value) {
        const element = joinPath(path, keyOf(shape.items, shape.keys, item) ?? "");
        found.set(element, true);
        collect(shape.items, item, element, found);
      }
  }
}

export interface Difference {
  /** New, or with another value. */
  readonly changed: FieldSet;
  readonly removed: FieldSet;
}

export function difference(
  before: ReadonlyMap<FieldPath, Json>,
  after: ReadonlyMap<FieldPath, Json>,
): Difference {
  const changed = new Set<FieldPath>();
  for (const [path, value] of after) {
    if (!before.has(path) || !sameJson(before.get(path), value)) changed.add(path);
  }
  return { changed, removed: new Set([...before.keys()].filter((path) => !after.has(path))) };
}

export function without(set: FieldSet, ...others: readonly FieldSet[]): Set<FieldPath> {
  return new Set([...set].filter((path) => !others.some((other) => other.has(path))));
}

/** The nested form that `managedFields` carries. */
export function toFieldsV1(set: FieldSet): JsonObject {
  const root: JsonObject = {};
  for (const path of [...set].sort()) {
    let node = root;
    for (const element of splitPath(path)) {
      const next = Object.hasOwn(node, element) ? node[element] : undefined;
      if (isObject(next)) node = next;
      else {
        const made: JsonObject = {};
        setKey(node, element, made);
        node = made;
      }
    }
    // Elements of keyed lists are owned themselves, besides what lies in them.
    if (splitPath(path).at(-1)?.startsWith("k:")) node["."] = {};
  }
  return root;
}

/** Undefined for what is no FieldsV1 at all. */
export function fromFieldsV1(value: Json | undefined): Set<FieldPath> | undefined {
  if (!isObject(value)) return undefined;
  const found = new Set<FieldPath>();
  gather(value, "", found, 0);
  return found;
}

/** As deep as any object may be. */
const MAX_DEPTH = 128;

function gather(node: JsonObject, path: FieldPath, found: Set<FieldPath>, depth: number): void {
  const children = Object.entries(node);
  if (path !== "" && (children.length === 0 || Object.hasOwn(node, "."))) found.add(path);
  if (depth > MAX_DEPTH) return;
  for (const [element, child] of children) {
    if (element !== "." && isObject(child)) gather(child, joinPath(path, element), found, depth + 1);
  }
}

/** `.spec.containers[name="web"].image`, as conflicts name a field. Elements that are none of ours come from clients, and are shown as they are. */
export function shownPath(path: FieldPath): string {
  return splitPath(path).map(shownElement).join("");
}

function shownElement(element: string): string {
  const rest = element.slice(2);
  if (element.startsWith("f:")) return `.${rest}`;
  if (element.startsWith("v:")) return `[=${rest}]`;
  try {
    const keys: unknown = element.startsWith("k:") ? JSON.parse(rest) : undefined;
    if (isObject(keys as Json))
      return `[${Object.entries(keys as JsonObject)
        .map(([key, value]) => `${key}=${JSON.stringify(value)}`)
        .join(",")}]`;
  } catch {
    // Shown as it is.
  }
  return `[${element}]`;
}
