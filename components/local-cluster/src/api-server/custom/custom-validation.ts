/** Validation of custom resources: the structural schema first, its CEL rules only when that holds. */

import { keyOf } from "../apply/field-set.ts";
import { isObject, type Json, type JsonObject, textAt } from "../json.ts";
import type { KubeObject } from "../kube-object.ts";
import { type Cause, forbiddenField, invalidValue, required } from "../refusal.ts";
import { propertySchema, resolveSchema, type Schema, type ValidationRule } from "../schema/schema.ts";
import { validateSchema } from "../schema/validate.ts";
import { compileRule, firstLine } from "./cel-rules.ts";
import { toCel } from "./cel-value.ts";

/** An answer with more causes than this helps nobody. */
const MAX_CAUSES = 32;

export function customFaults(
  schema: Schema,
  object: KubeObject,
  previous: KubeObject | undefined,
): readonly Cause[] {
  const body = judged(object);
  const causes = validateSchema(schema, body, "");
  if (causes.length > 0) return causes;
  const found: Cause[] = [];
  judge(withIdentity(schema), body, previous === undefined ? undefined : judged(previous), "", found);
  return found;
}

/** Rules at the root see the object's name and nothing else of its metadata. */
function judged(object: KubeObject): JsonObject {
  const metadata: JsonObject = {};
  for (const key of ["name", "generateName"]) {
    const text = textAt(object.metadata, key);
    if (text !== undefined) metadata[key] = text;
  }
  return { ...object, metadata };
}

function withIdentity(schema: Schema): Schema {
  const text: Schema = { type: "string" };
  const metadata: Schema = { type: "object", properties: { name: text, generateName: text } };
  return { ...schema, properties: { ...schema.properties, apiVersion: text, kind: text, metadata } };
}

function judge(use: Schema, value: Json, old: Json | undefined, field: string, causes: Cause[]): void {
  const schema = resolveSchema(use);
  for (const rule of schema["x-kubernetes-validations"] ?? []) {
    if (causes.length >= MAX_CAUSES) return;
    const cause = judgeRule(schema, rule, value, old, field);
    if (cause !== undefined) causes.push(cause);
  }
  if (isObject(value)) judgeProperties(schema, value, old, field, causes);
  else if (Array.isArray(value)) judgeItems(schema, value, old, field, causes);
}

function judgeProperties(
  schema: Schema,
  value: JsonObject,
  old: Json | undefined,
  field: string,
  causes: Cause[],
): void {
  for (const [key, child] of Object.entries(value)) {
    const property = propertySchema(schema, key);
    if (property === undefined) continue;
    const before = isObject(old) && Object.hasOwn(old, key) ? old[key] : undefined;
    judge(property, child, before, field === "" ? key : `${field}.${key}`, causes);
  }
}

/** Only elements of keyed lists have a past: position says nothing about which element one was. */
function judgeItems(
  schema: Schema,
  value: readonly Json[],
  old: Json | undefined,
  field: string,
  causes: Cause[],
): void {
  const { items } = schema;
  if (items === undefined) return;
  const keys = schema["x-kubernetes-list-map-keys"];
  const before = new Map(
    Array.isArray(old) && keys !== undefined ? old.map((item) => [keyOf(items, keys, item), item]) : [],
  );
  for (const [index, item] of value.entries()) {
    const past = keys === undefined ? undefined : before.get(keyOf(items, keys, item));
    judge(items, item, past, `${field}[${index}]`, causes);
  }
}

function judgeRule(
  schema: Schema,
  rule: ValidationRule,
  value: Json,
  old: Json | undefined,
  field: string,
): Cause | undefined {
  const compiled = compileRule(rule.rule);
  const where = `${field}${rule.fieldPath ?? ""}`.replace(/^\./, "");
  if (compiled.kind === "bad") return invalidValue(where, value, `rule compile error: ${compiled.why}`);
  // A rule about a change has nothing to say about what was not there before.
  if (compiled.usesOld && old === undefined) return undefined;
  try {
    const verdict = compiled.judge(toCel(schema, value), old === undefined ? undefined : toCel(schema, old));
    return verdict === true ? undefined : causeOf(schema, rule, value, old, where);
  } catch (error) {
    return invalidValue(where, value, `rule evaluation error: ${firstLine(error)}`);
  }
}

function causeOf(
  schema: Schema,
  rule: ValidationRule,
  value: Json,
  old: Json | undefined,
  field: string,
): Cause {
  const message = messageOf(schema, rule, value, old);
  switch (rule.reason) {
    case "FieldValueRequired":
      return required(field, message);
    case "FieldValueForbidden":
      return forbiddenField(field, message);
    default:
      return invalidValue(field, typeof value === "object" ? typeWord(value) : value, message);
  }
}

function typeWord(value: Json): string {
  return Array.isArray(value) ? "array" : "object";
}

function messageOf(schema: Schema, rule: ValidationRule, value: Json, old: Json | undefined): string {
  const fallback = rule.message ?? `failed rule: ${rule.rule.trim()}`;
  if (rule.messageExpression === undefined) return fallback;
  const compiled = compileRule(rule.messageExpression);
  if (compiled.kind === "bad") return fallback;
  try {
    const text = compiled.judge(toCel(schema, value), old === undefined ? undefined : toCel(schema, old));
    return typeof text === "string" && text.trim() !== "" ? text.trim() : fallback;
  } catch {
    // The expression may trip over the very fault it is to describe: the fixed message still stands.
    return fallback;
  }
}
