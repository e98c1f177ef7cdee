/** A value against the OpenAPI schema of its CustomResourceDefinition, as the API server would check it. Pure. */

import { checkRules, type ValidationRule } from "./cel-rules.ts";
import { type Findings, shown } from "./findings.ts";
import type { Path } from "./path.ts";
import { suggestion } from "./suggest.ts";

/** The part of OpenAPI v3 that structural schemas of definitions use. */
export interface OpenApiSchema {
  readonly type?: "string" | "integer" | "number" | "boolean" | "object" | "array";
  readonly properties?: Readonly<Record<string, OpenApiSchema>>;
  readonly additionalProperties?: OpenApiSchema;
  readonly required?: readonly string[];
  readonly items?: OpenApiSchema;
  readonly enum?: readonly string[];
  readonly pattern?: string;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly minProperties?: number;
  readonly maxProperties?: number;
  readonly default?: unknown;
  readonly "x-kubernetes-int-or-string"?: boolean;
  readonly "x-kubernetes-preserve-unknown-fields"?: boolean;
  readonly "x-kubernetes-list-map-keys"?: readonly string[];
  readonly "x-kubernetes-validations"?: readonly ValidationRule[];
}

type Fields = Readonly<Record<string, unknown>>;

/** Adds what is wrong to `findings`. Goes no deeper than the schema does. True when the structure is sound. */
export function checkSchema(schema: OpenApiSchema, value: unknown, path: Path, findings: Findings): boolean {
  if (findings.isFull) return false;
  const before = findings.all.length;
  checkStructure(schema, value, path, findings);
  const sound = findings.all.length === before;
  // A rule reads fields that the structure promises.
  if (sound) checkRules(schema["x-kubernetes-validations"] ?? [], value, path, findings);
  return sound;
}

function checkStructure(schema: OpenApiSchema, value: unknown, path: Path, findings: Findings): void {
  if (schema["x-kubernetes-int-or-string"] === true) {
    if (typeof value !== "string" && !Number.isInteger(value))
      findings.error(path, `expected a whole number or text, got ${shown(value)}`);
    return;
  }
  switch (schema.type) {
    case "string":
      checkText(schema, value, path, findings);
      break;
    case "integer":
    case "number":
      checkNumber(schema, value, path, findings);
      break;
    case "boolean":
      if (typeof value !== "boolean") findings.error(path, `expected true or false, got ${shown(value)}`);
      break;
    case "array":
      checkList(schema, value, path, findings);
      break;
    case "object":
      checkObject(schema, value, path, findings);
      break;
    case undefined:
      break;
    default:
      schema.type satisfies never;
  }
}

function checkText(schema: OpenApiSchema, value: unknown, path: Path, findings: Findings): void {
  if (typeof value !== "string") {
    const quote =
      typeof value === "number" || typeof value === "boolean" ? `: quote it, ${shown(String(value))}` : "";
    findings.error(path, `expected text, got ${shown(value)}${quote}`);
    return;
  }
  const { minLength = 0, maxLength = Number.POSITIVE_INFINITY } = schema;
  if (schema.enum !== undefined && !schema.enum.includes(value))
    findings.error(
      path,
      `expected one of ${schema.enum.join(", ")}, got ${shown(value)}${didYouMean(value, schema.enum)}`,
    );
  else if (value.length < minLength || value.length > maxLength)
    findings.error(path, `expected ${range(minLength, maxLength)} characters, got ${value.length}`);
  else if (schema.pattern !== undefined && !new RegExp(schema.pattern).test(value))
    findings.error(path, `expected text like ${schema.pattern}, got ${shown(value)}`);
}

function didYouMean(value: string, known: readonly string[]): string {
  const text = suggestion(value, known);
  return text.startsWith("; did") ? text : "";
}

function checkNumber(schema: OpenApiSchema, value: unknown, path: Path, findings: Findings): void {
  const { minimum = Number.MIN_SAFE_INTEGER, maximum = Number.MAX_SAFE_INTEGER } = schema;
  const fits =
    typeof value === "number" &&
    (schema.type === "number" || Number.isInteger(value)) &&
    value >= minimum &&
    value <= maximum;
  if (fits) return;
  const bounds =
    schema.minimum === undefined && schema.maximum === undefined ? "" : ` from ${minimum} to ${maximum}`;
  findings.error(
    path,
    `expected a ${schema.type === "integer" ? "whole " : ""}number${bounds}, got ${shown(value)}`,
  );
}

function checkList(schema: OpenApiSchema, value: unknown, path: Path, findings: Findings): void {
  if (!Array.isArray(value)) {
    findings.error(path, `expected a list, got ${shown(value)}`);
    return;
  }
  const { minItems = 0, maxItems = Number.POSITIVE_INFINITY, items = {} } = schema;
  if (value.length < minItems || value.length > maxItems)
    findings.error(path, `expected ${range(minItems, maxItems)} items, got ${value.length}`);
  if (value.length > maxItems) return;
  for (const [index, item] of value.entries()) checkSchema(items, item, [...path, index], findings);
  checkUnique(schema["x-kubernetes-list-map-keys"], value, path, findings);
}

/** Items of a list of type map are told apart by some of their fields. */
function checkUnique(
  keys: readonly string[] | undefined,
  items: readonly unknown[],
  path: Path,
  findings: Findings,
): void {
  if (keys === undefined) return;
  const seen = new Set<string>();
  for (const [index, item] of items.entries()) {
    if (!isFields(item)) continue;
    const key = JSON.stringify(keys.map((name) => item[name] ?? null));
    if (seen.has(key)) {
      const named = keys.map((name) => `${name} ${shown(item[name])}`).join(", ");
      findings.error([...path, index], `expected each item once, got ${named} again`);
    }
    seen.add(key);
  }
}

function checkObject(schema: OpenApiSchema, value: unknown, path: Path, findings: Findings): void {
  if (!isFields(value)) {
    findings.error(path, `expected an object, got ${shown(value)}`);
    return;
  }
  const { minProperties = 0, maxProperties = Number.POSITIVE_INFINITY } = schema;
  // null says the same as leaving the field out.
  const fields = Object.entries(value).filter(([, inner]) => inner !== null && inner !== undefined);
  if (fields.length < minProperties || fields.length > maxProperties)
    findings.error(path, `expected ${range(minProperties, maxProperties)} entries, got ${fields.length}`);
  for (const name of schema.required ?? []) {
    if (!fields.some(([there]) => there === name))
      findings.error([...path, name], "expected a value, got nothing");
  }
  const known = schema.properties ?? {};
  for (const [name, inner] of fields) {
    const property = Object.hasOwn(known, name) ? known[name] : schema.additionalProperties;
    if (property !== undefined) checkSchema(property, inner, [...path, name], findings);
    else if (schema["x-kubernetes-preserve-unknown-fields"] !== true)
      findings.error([...path, name], `there is no such field${suggestion(name, Object.keys(known))}`, "key");
  }
}

function range(min: number, max: number): string {
  if (max === Number.POSITIVE_INFINITY) return `at least ${min}`;
  return min === 0 ? `at most ${max}` : `${min} to ${max}`;
}

export function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
