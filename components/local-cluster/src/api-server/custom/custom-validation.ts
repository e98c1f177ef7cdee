/** Validation of custom resources: the structural schema first, its CEL rules only when that holds. */

import { keyOf } from "../apply/field-set.ts";
import { isObject, type Json, type JsonObject, textAt } from "../json.ts";
import type { KubeObject } from "../kube-object.ts";
import { type Cause, forbiddenField, invalidValue, required } from "../refusal.ts";
import { propertySchema, resolveSchema, type Schema, type ValidationRule } from "../schema/schema.ts";
import { validateSchema } from "../schema/validate.ts";
import { costBound, type Extent, MAX_OBJECT_COST, MAX_RULE_COST, measure } from "./cel-cost.ts";
import { compileRule, firstLine } from "./cel-rules.ts";
import { type CelValue, toCel } from "./cel-value.ts";

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
  const budget: Budget = { left: MAX_OBJECT_COST };
  judge(withIdentity(schema), body, previous === undefined ? undefined : judged(previous), "", {
    causes: found,
    budget,
  });
  return found;
}

/** What judging one object may still cost. */
interface Budget {
  left: number;
}

interface Findings {
  readonly causes: Cause[];
  readonly budget: Budget;
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

function judge(use: Schema, value: Json, old: Json | undefined, field: string, findings: Findings): void {
  const schema = resolveSchema(use);
  const rules = schema["x-kubernetes-validations"] ?? [];
  if (rules.length > 0) judgeRules(rules, subjectOf(schema, value, old), field, findings);
  if (isObject(value)) judgeProperties(schema, value, old, field, findings);
  else if (Array.isArray(value)) judgeItems(schema, value, old, field, findings);
}

function judgeRules(
  rules: readonly ValidationRule[],
  subject: Subject,
  field: string,
  { causes, budget }: Findings,
): void {
  for (const rule of rules) {
    if (causes.length >= MAX_CAUSES) return;
    const cause = judgeRule(rule, subject, field, budget);
    if (cause !== undefined) causes.push(cause);
  }
}

/** A value that rules are judged on, as CEL sees it. */
interface Subject {
  readonly value: Json;
  readonly self: CelValue;
  readonly old: CelValue | undefined;
  readonly extent: Extent;
}

function subjectOf(schema: Schema, value: Json, before: Json | undefined): Subject {
  const self = toCel(schema, value);
  const old = before === undefined ? undefined : toCel(schema, before);
  return { value, self, old, extent: measure(old, measure(self)) };
}

function judgeProperties(
  schema: Schema,
  value: JsonObject,
  old: Json | undefined,
  field: string,
  findings: Findings,
): void {
  for (const [key, child] of Object.entries(value)) {
    const property = propertySchema(schema, key);
    if (property === undefined) continue;
    const before = isObject(old) && Object.hasOwn(old, key) ? old[key] : undefined;
    judge(property, child, before, field === "" ? key : `${field}.${key}`, findings);
  }
}

/** Only elements of keyed lists have a past: position says nothing about which element one was. */
function judgeItems(
  schema: Schema,
  value: readonly Json[],
  old: Json | undefined,
  field: string,
  findings: Findings,
): void {
  const { items } = schema;
  if (items === undefined) return;
  const keys = schema["x-kubernetes-list-map-keys"];
  const before = new Map(
    Array.isArray(old) && keys !== undefined ? old.map((item) => [keyOf(items, keys, item), item]) : [],
  );
  for (const [index, item] of value.entries()) {
    const past = keys === undefined ? undefined : before.get(keyOf(items, keys, item));
    judge(items, item, past, `${field}[${index}]`, findings);
  }
}

function judgeRule(rule: ValidationRule, subject: Subject, field: string, budget: Budget): Cause | undefined {
  const { value, self, old, extent } = subject;
  const compiled = compileRule(rule.rule);
  const where = `${field}${rule.fieldPath ?? ""}`.replace(/^\./, "");
  if (compiled.kind === "bad")
    return invalidValue(where, shownValue(value), `rule compile error: ${compiled.why}`);
  // A rule about a change has nothing to say about what was not there before.
  if (compiled.usesOld && old === undefined) return undefined;
  const cost = costBound(compiled.shape, extent);
  budget.left -= cost;
  if (cost > MAX_RULE_COST || budget.left < 0)
    return invalidValue(
      where,
      shownValue(value),
      "validation costs too much: lists or texts are too large for the loops of this rule",
    );
  try {
    return compiled.judge(self, old) === true ? undefined : causeOf(rule, subject, where);
  } catch (error) {
    return invalidValue(where, shownValue(value), `rule evaluation error: ${firstLine(error)}`);
  }
}

function causeOf(rule: ValidationRule, subject: Subject, field: string): Cause {
  const message = messageOf(rule, subject);
  switch (rule.reason) {
    case "FieldValueRequired":
      return required(field, message);
    case "FieldValueForbidden":
      return forbiddenField(field, message);
    default:
      return invalidValue(field, shownValue(subject.value), message);
  }
}

/** Objects and lists by their kind alone: an answer is no place for a megabyte. */
function shownValue(value: Json): Json {
  if (typeof value !== "object") return value;
  return Array.isArray(value) ? "array" : "object";
}

function messageOf(rule: ValidationRule, { self, old, extent }: Subject): string {
  const fallback = rule.message ?? `failed rule: ${rule.rule.trim()}`;
  if (rule.messageExpression === undefined) return fallback;
  const compiled = compileRule(rule.messageExpression);
  if (compiled.kind === "bad" || costBound(compiled.shape, extent) > MAX_RULE_COST) return fallback;
  try {
    const text = compiled.judge(self, old);
    return typeof text === "string" && text.trim() !== "" ? text.trim() : fallback;
  } catch {
    // The expression may trip over the very fault it is to describe: the fixed message still stands.
    return fallback;
  }
}
