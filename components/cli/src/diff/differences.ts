/** What differs between two objects, field by field. Pure. */

import { isJson, type Json } from "../output/json.ts";

export interface Difference {
  /** `spec.template.spec.containers[discovery].image` */
  readonly path: string;
  /** Undefined: it is not there. */
  readonly before: unknown;
  readonly after: unknown;
}

/** Deeper than any object of the API, definitions of kinds included. */
const MAX_DEPTH = 64;

/** What an API server writes by itself, and what controllers say of an object's state. */
const SERVER_METADATA = new Set([
  "managedFields",
  "resourceVersion",
  "uid",
  "creationTimestamp",
  "generation",
  "selfLink",
]);
const SERVER_ANNOTATIONS = new Set([
  "kubectl.kubernetes.io/last-applied-configuration",
  "deployment.kubernetes.io/revision",
  "deprecated.daemonset.template.generation",
]);

/** Without what nobody asked for: status, and metadata of the server. */
export function declaredPart(object: Json): Json {
  const { status: _status, metadata, ...rest } = object;
  if (!isJson(metadata)) return rest;
  const kept = Object.entries(metadata).filter(([key]) => !SERVER_METADATA.has(key));
  const declared = Object.fromEntries(
    kept.map(([key, value]) => [
      key,
      key === "annotations" && isJson(value)
        ? Object.fromEntries(Object.entries(value).filter(([name]) => !SERVER_ANNOTATIONS.has(name)))
        : value,
    ]),
  );
  return { ...rest, metadata: declared };
}

/** In the order of the fields. Lists of named things (containers, ports, variables) are compared by name, others by position. */
export function differencesOf(before: unknown, after: unknown): readonly Difference[] {
  return compare(before, after, "", 0);
}

function compare(before: unknown, after: unknown, path: string, depth: number): readonly Difference[] {
  if (before === after || (isEmpty(before) && isEmpty(after))) return [];
  if (depth < MAX_DEPTH && isJson(before) && isJson(after)) {
    const keys = new Set([...Object.keys(before), ...Object.keys(after)]);
    return [...keys].flatMap((key) =>
      compare(own(before, key), own(after, key), within(path, key), depth + 1),
    );
  }
  if (depth < MAX_DEPTH && Array.isArray(before) && Array.isArray(after)) {
    const [left, right] = [keyed(before), keyed(after)];
    const [from, to] =
      left !== undefined && right !== undefined ? [left, right] : [numbered(before), numbered(after)];
    return [...new Set([...from.keys(), ...to.keys()])].flatMap((key) =>
      compare(from.get(key), to.get(key), `${path}[${key}]`, depth + 1),
    );
  }
  return [{ path, before, after }];
}

/** `labels["istio.io/rev"]`: a key with dots is one. */
function within(path: string, key: string): string {
  if (!/^[\w-]+$/.test(key)) return `${path}[${JSON.stringify(key)}]`;
  return path === "" ? key : `${path}.${key}`;
}

/** An API server drops what is empty, and says nothing of what is not there. */
function isEmpty(value: unknown): boolean {
  if (value === undefined || value === null) return true;
  return Array.isArray(value) ? value.length === 0 : isJson(value) && Object.keys(value).length === 0;
}

function own(json: Json, key: string): unknown {
  return Object.hasOwn(json, key) ? json[key] : undefined;
}

/** By `name`, when each has one of its own. */
function keyed(list: readonly unknown[]): ReadonlyMap<string, unknown> | undefined {
  const entries = list.map((item) => [isJson(item) ? item["name"] : undefined, item] as const);
  const map = new Map<string, unknown>();
  for (const [name, item] of entries) {
    if (typeof name !== "string" || map.has(name)) return undefined;
    map.set(name, item);
  }
  return map;
}

function numbered(list: readonly unknown[]): ReadonlyMap<string, unknown> {
  return new Map(list.map((item, index) => [String(index), item]));
}
