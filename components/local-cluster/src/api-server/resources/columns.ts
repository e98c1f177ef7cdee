/** Building blocks of the printer columns: what `kubectl get` shows of built-in kinds. */
import { at, type Json, type JsonObject, listAt, numberAt, textAt, textMapAt } from "../json.ts";
import type { KubeObject } from "../kube-object.ts";
import { nameOf } from "../kube-object.ts";
import { ageOf } from "./age.ts";
import type { Cell, Column } from "./resource.ts";

type Read = (object: KubeObject, nowMs: number) => Cell;

export function text(name: string, value: Read, priority = 0): Column {
  return { name, type: "string", priority, value };
}

export function integer(name: string, value: Read, priority = 0): Column {
  return { name, type: "integer", priority, value };
}

export const NAME: Column = { name: "Name", type: "string", format: "name", priority: 0, value: nameOf };

export const AGE: Column = {
  name: "Age",
  type: "string",
  priority: 0,
  value: (object, nowMs) => ageOf(textAt(object, "metadata", "creationTimestamp"), nowMs),
};

export const NAME_AND_AGE: readonly Column[] = [NAME, AGE];

/** A column that shows one field as text. */
export function field(name: string, path: readonly string[], fallback = "", priority = 0): Column {
  return text(name, (object) => textAt(object, ...path) ?? fallback, priority);
}

export function count(name: string, path: readonly string[], priority = 0): Column {
  return integer(name, (object) => numberAt(object, ...path) ?? 0, priority);
}

/** `a=b,c=d`, or `<none>`. */
export function selectorText(selector: Json | undefined): string {
  const labels = Object.entries(textMapAt(selector, "matchLabels")).map(([key, value]) => `${key}=${value}`);
  const terms = listAt(selector, "matchExpressions").map(expressionText);
  const all = [...labels.sort(), ...terms];
  return all.length === 0 ? "<none>" : all.join(",");
}

function expressionText(term: Json): string {
  const key = textAt(term, "key") ?? "";
  const values = `(${listAt(term, "values").join(",")})`;
  switch (textAt(term, "operator")) {
    case "In":
      return `${key} in ${values}`;
    case "NotIn":
      return `${key} notin ${values}`;
    case "Exists":
      return key;
    default:
      return `!${key}`;
  }
}

export function mapText(map: Json | undefined): string {
  const pairs = Object.entries(textMapAt(map)).map(([key, value]) => `${key}=${value}`);
  return pairs.length === 0 ? "<none>" : pairs.sort().join(",");
}

export function orNone(value: string): string {
  return value === "" ? "<none>" : value;
}

/** The columns that workloads with a pod template share with `-o wide`. */
export const TEMPLATE_COLUMNS: readonly Column[] = [
  text("Containers", (object) => templateContainers(object, "name"), 1),
  text("Images", (object) => templateContainers(object, "image"), 1),
];

export const SELECTOR_COLUMN: Column = text(
  "Selector",
  (object) => selectorText(at(object, "spec", "selector")),
  1,
);

function templateContainers(object: JsonObject, key: string): string {
  return listAt(object, "spec", "template", "spec", "containers")
    .map((container) => textAt(container, key) ?? "")
    .join(",");
}
