/** Validation against a structural schema: OpenAPI v3 keywords with Kubernetes' messages. */
import { isObject, type Json, type JsonObject, sameJson } from "../json.ts";
import { type Cause, duplicate, invalidValue, required, unsupported } from "../refusal.ts";
import { listFaults, numberFaults, stringFaults } from "./keywords.ts";
import { propertySchema, resolveSchema, type Schema } from "./schema.ts";

/** An answer with more causes than this helps nobody. */
const MAX_CAUSES = 64;

export function validateSchema(schema: Schema, value: Json, field: string): Cause[] {
  return faultsOf(schema, value, field).slice(0, MAX_CAUSES);
}

function faultsOf(use: Schema, value: Json, field: string): Cause[] {
  const schema = resolveSchema(use);
  if (value === null && schema.nullable === true) return [];
  const typeFault = typeCause(schema, value, field);
  if (typeFault !== undefined) return [typeFault];
  return [
    ...enumFaults(schema, value, field),
    ...valueFaults(schema, value, field),
    ...junctorFaults(schema, value, field),
  ];
}

function valueFaults(schema: Schema, value: Json, field: string): Cause[] {
  if (typeof value === "string") return stringFaults(schema, value, field);
  if (typeof value === "number") return numberFaults(schema, value, field);
  if (Array.isArray(value)) return arrayFaults(schema, value, field);
  return isObject(value) ? objectFaults(schema, value, field) : [];
}

function typeCause(schema: Schema, value: Json, field: string): Cause | undefined {
  const actual = typeName(value);
  if (schema["x-kubernetes-int-or-string"] === true) {
    if (actual === "integer" || actual === "string") return undefined;
    return invalidType(field, "integer,string", actual);
  }
  const wanted = schema.type;
  if (wanted === undefined || wanted === actual || (wanted === "number" && actual === "integer"))
    return undefined;
  return invalidType(field, wanted, actual);
}

function invalidType(field: string, wanted: string, actual: string): Cause {
  const message = `Invalid value: ${JSON.stringify(actual)}: ${field} in body must be of type ${wanted}: ${JSON.stringify(actual)}`;
  return { field, reason: "FieldValueTypeInvalid", message };
}

function typeName(value: Json): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "array";
  if (typeof value === "number") return Number.isInteger(value) ? "integer" : "number";
  return typeof value;
}

function enumFaults(schema: Schema, value: Json, field: string): Cause[] {
  const { enum: choices } = schema;
  if (choices === undefined || choices.some((choice) => sameJson(choice, value))) return [];
  return [
    unsupported(
      field,
      value,
      choices.map((choice) => (typeof choice === "string" ? choice : JSON.stringify(choice))),
    ),
  ];
}

function arrayFaults(schema: Schema, value: readonly Json[], field: string): Cause[] {
  const causes = listFaults(schema, value, field);
  const { items } = schema;
  if (items !== undefined) {
    for (const [index, item] of value.entries()) causes.push(...faultsOf(items, item, `${field}[${index}]`));
  }
  return [...causes, ...uniquenessFaults(schema, value, field)];
}

function uniquenessFaults(schema: Schema, value: readonly Json[], field: string): Cause[] {
  const type = schema["x-kubernetes-list-type"];
  if (type !== "set" && type !== "map" && schema.uniqueItems !== true) return [];
  const keys = schema["x-kubernetes-list-map-keys"] ?? [];
  const seen = new Set<string>();
  const causes: Cause[] = [];
  for (const [index, item] of value.entries()) {
    const identity =
      type === "map" && isObject(item)
        ? Object.fromEntries(keys.map((key) => [key, item[key] ?? null]))
        : item;
    const text = JSON.stringify(identity);
    if (seen.has(text)) causes.push(duplicate(`${field}[${index}]`, identity));
    seen.add(text);
  }
  return causes;
}

function objectFaults(schema: Schema, value: JsonObject, field: string): Cause[] {
  const causes: Cause[] = [];
  for (const key of schema.required ?? []) {
    if (!Object.hasOwn(value, key)) causes.push(required(below(field, key)));
  }
  const count = Object.keys(value).length;
  if (schema.minProperties !== undefined && count < schema.minProperties) {
    causes.push(
      invalidValue(field, count, `${field} in body should have at least ${schema.minProperties} properties`),
    );
  }
  if (schema.maxProperties !== undefined && count > schema.maxProperties) {
    causes.push({
      field,
      reason: "FieldValueTooMany",
      message: `Too many: ${count}: must have at most ${schema.maxProperties} items`,
    });
  }
  for (const [key, child] of Object.entries(value)) {
    const property = propertySchema(schema, key);
    if (property !== undefined) causes.push(...faultsOf(property, child, below(field, key)));
  }
  return causes;
}

function below(field: string, key: string): string {
  return field === "" ? key : `${field}.${key}`;
}

/** allOf, anyOf, oneOf, not: they only judge, structure comes from the schema around them. */
function junctorFaults(schema: Schema, value: Json, field: string): Cause[] {
  const causes = (schema.allOf ?? []).flatMap((part) => faultsOf(part, value, field));
  const matches = (parts: readonly Schema[]): number =>
    parts.filter((part) => faultsOf(part, value, field).length === 0).length;
  const { anyOf, oneOf, not } = schema;
  const name = field === "" ? "<nil>" : field;
  if (anyOf !== undefined && matches(anyOf) === 0) {
    causes.push(
      invalidValue(field, value, `${JSON.stringify(name)} must validate at least one schema (anyOf)`),
    );
  }
  if (oneOf !== undefined) {
    const found = matches(oneOf);
    if (found !== 1) {
      const which = found === 0 ? "Found none valid" : `Found ${found} valid alternatives`;
      causes.push(
        invalidValue(
          field,
          value,
          `${JSON.stringify(name)} must validate one and only one schema (oneOf). ${which}`,
        ),
      );
    }
  }
  if (not !== undefined && faultsOf(not, value, field).length === 0) {
    causes.push(invalidValue(field, value, `${JSON.stringify(name)} must not validate the schema (not)`));
  }
  return causes;
}
