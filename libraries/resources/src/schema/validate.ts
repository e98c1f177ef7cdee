/** Checks a value from outside against a schema. Every problem is named with its path; nothing is changed. */

import { unreachable } from "@meltemi/runtime";
import { type Problems, shown } from "../problem.ts";
import {
  type DecimalSchema,
  type Fields,
  has,
  type IntegerSchema,
  isFields,
  type ListSchema,
  type MapSchema,
  type ObjectSchema,
  type Rule,
  type Schema,
  type TextSchema,
} from "./schema.ts";

/** Adds what is wrong with `value` to `problems`. Depth is bounded by the schema's own. */
export function validate(schema: Schema, value: unknown, path: string, problems: Problems): void {
  if (problems.isFull) return;
  switch (schema.kind) {
    case "text":
      validateText(schema, value, path, problems);
      return;
    case "integer":
      validateInteger(schema, value, path, problems);
      return;
    case "decimal":
      validateDecimal(schema, value, path, problems);
      return;
    case "flag":
      if (typeof value !== "boolean") problems.add(path, `expected true or false, got ${shown(value)}`);
      return;
    case "object":
      validateObject(schema, value, path, problems);
      return;
    case "list":
      validateList(schema, value, path, problems);
      return;
    case "map":
      validateMap(schema, value, path, problems);
      return;
    case "integerOrText":
      if (typeof value !== "string" && !Number.isInteger(value))
        problems.add(path, `expected a whole number or text, got ${shown(value)}`);
      return;
    default:
      unreachable(schema);
  }
}

function validateText(schema: TextSchema, value: unknown, path: string, problems: Problems): void {
  if (typeof value !== "string") {
    problems.add(path, `expected text, got ${shown(value)}`);
    return;
  }
  if (schema.oneOf !== undefined && !schema.oneOf.includes(value))
    problems.add(path, `expected one of ${schema.oneOf.join(", ")}, got ${shown(value)}`);
  if (value.length < (schema.minLength ?? 0))
    problems.add(path, `expected at least ${schema.minLength} characters, got ${shown(value)}`);
  if (value.length > (schema.maxLength ?? Number.POSITIVE_INFINITY))
    problems.add(path, `expected at most ${schema.maxLength} characters, got ${value.length}`);
  else if (schema.pattern !== undefined && !new RegExp(schema.pattern).test(value))
    problems.add(path, `expected text like ${schema.pattern}, got ${shown(value)}`);
  validateRules(schema.rules, value, path, problems);
}

function validateInteger(schema: IntegerSchema, value: unknown, path: string, problems: Problems): void {
  const { min = Number.MIN_SAFE_INTEGER, max = Number.MAX_SAFE_INTEGER } = schema;
  if (typeof value !== "number" || !Number.isInteger(value) || value < min || value > max) {
    problems.add(path, `expected a whole number from ${min} to ${max}, got ${shown(value)}`);
    return;
  }
  validateRules(schema.rules, value, path, problems);
}

function validateDecimal(schema: DecimalSchema, value: unknown, path: string, problems: Problems): void {
  const { min = Number.NEGATIVE_INFINITY, max = Number.POSITIVE_INFINITY } = schema;
  if (typeof value !== "number" || !(value >= min && value <= max))
    problems.add(path, `expected a number from ${min} to ${max}, got ${shown(value)}`);
}

function validateObject(schema: ObjectSchema, value: unknown, path: string, problems: Problems): void {
  if (!isFields(value)) {
    problems.add(path, `expected an object, got ${shown(value)}`);
    return;
  }
  for (const name of schema.required ?? []) {
    if (!has(value, name)) problems.add(join(path, name), "expected a value, got nothing");
  }
  for (const [name, inner] of Object.entries(value)) {
    const property = Object.hasOwn(schema.properties, name) ? schema.properties[name] : undefined;
    if (property === undefined) {
      if (schema.open !== true) problems.add(join(path, name), "there is no such field");
    } else if (inner !== null && inner !== undefined) validate(property, inner, join(path, name), problems);
    if (problems.isFull) return;
  }
  validateRules(schema.rules, value, path, problems);
}

function validateList(schema: ListSchema, value: unknown, path: string, problems: Problems): void {
  if (!Array.isArray(value)) {
    problems.add(path, `expected a list, got ${shown(value)}`);
    return;
  }
  const { minItems = 0, maxItems = Number.POSITIVE_INFINITY } = schema;
  if (value.length < minItems) problems.add(path, `expected at least ${minItems} items, got ${value.length}`);
  if (value.length > maxItems) {
    problems.add(path, `expected at most ${maxItems} items, got ${value.length}`);
    return;
  }
  for (const [index, item] of value.entries()) {
    validate(schema.items, item, `${path}[${index}]`, problems);
    if (problems.isFull) return;
  }
  validateMapKeys(schema, value, path, problems);
  validateRules(schema.rules, value as readonly unknown[], path, problems);
}

function validateMapKeys(
  schema: ListSchema,
  value: readonly unknown[],
  path: string,
  problems: Problems,
): void {
  const { mapKeys } = schema;
  if (mapKeys === undefined) return;
  const seen = new Set<string>();
  for (const [index, item] of value.entries()) {
    if (!isFields(item)) continue;
    const key = JSON.stringify(mapKeys.map((name) => item[name]));
    if (seen.has(key))
      problems.add(`${path}[${index}]`, `expected a unique ${mapKeys.join(", ")}, got ${key} again`);
    seen.add(key);
  }
}

function validateMap(schema: MapSchema, value: unknown, path: string, problems: Problems): void {
  if (!isFields(value)) {
    problems.add(path, `expected a map, got ${shown(value)}`);
    return;
  }
  const { minProperties = 0, maxProperties = Number.POSITIVE_INFINITY } = schema;
  const size = Object.keys(value).length;
  if (size < minProperties) problems.add(path, `expected at least ${minProperties} entries, got ${size}`);
  if (size > maxProperties) {
    problems.add(path, `expected at most ${maxProperties} entries, got ${size}`);
    return;
  }
  for (const [name, inner] of Object.entries(value)) {
    validate(schema.values, inner, `${path}[${shown(name)}]`, problems);
    if (problems.isFull) return;
  }
  validateRules(schema.rules, value, path, problems);
}

/** Rules see only values whose structure is sound: whatever lies below has been named already otherwise. */
function validateRules<T extends string | number | Fields | readonly unknown[]>(
  rules: readonly Rule<T>[] | undefined,
  value: T,
  path: string,
  problems: Problems,
): void {
  if (problems.found.some((found) => found.path.startsWith(path))) return;
  for (const { message, holds } of rules ?? []) {
    if (!holds(value)) problems.add(path, message);
  }
}

function join(path: string, name: string): string {
  return path === "" ? name : `${path}.${name}`;
}
