/** Whether a value has the types that a built-in schema says; what Kubernetes' decoder would refuse. */
import { isObject, type Json } from "../json.ts";
import { propertySchema, resolveSchema, type Schema } from "./schema.ts";

/** The first field of the wrong type, in words; undefined when all are right. */
export function typeFault(use: Schema, value: Json, path: string): string | undefined {
  const schema = resolveSchema(use);
  if (schema["x-kubernetes-int-or-string"] === true) {
    return typeof value === "string" || Number.isInteger(value)
      ? undefined
      : wrong(path, "a whole number or a string", value);
  }
  switch (schema.type) {
    case "object":
      return objectFault(schema, value, path);
    case "array":
      return arrayFault(schema, value, path);
    case "string":
      return stringFault(schema, value, path);
    case "integer":
      return Number.isInteger(value) ? undefined : wrong(path, "a whole number", value);
    case "number":
      return typeof value === "number" ? undefined : wrong(path, "a number", value);
    case "boolean":
      return typeof value === "boolean" ? undefined : wrong(path, "true or false", value);
    default:
      return undefined;
  }
}

function objectFault(schema: Schema, value: Json, path: string): string | undefined {
  if (!isObject(value)) return wrong(path, "an object", value);
  for (const [key, child] of Object.entries(value)) {
    const property = propertySchema(schema, key);
    const fault =
      property === undefined ? undefined : typeFault(property, child, path === "" ? key : `${path}.${key}`);
    if (fault !== undefined) return fault;
  }
  return undefined;
}

function arrayFault(schema: Schema, value: Json, path: string): string | undefined {
  if (!Array.isArray(value)) return wrong(path, "a list", value);
  for (const [index, item] of value.entries()) {
    const fault = schema.items === undefined ? undefined : typeFault(schema.items, item, `${path}[${index}]`);
    if (fault !== undefined) return fault;
  }
  return undefined;
}

const QUANTITY = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[numkMGTPE]|[KMGTPE]i|[eE][+-]?\d+)?$/;

function stringFault(schema: Schema, value: Json, path: string): string | undefined {
  if (schema.format === "quantity") {
    if (typeof value === "number" || (typeof value === "string" && QUANTITY.test(value))) return undefined;
    return wrong(path, "a quantity such as 100m or 1Gi", value);
  }
  if (typeof value !== "string") return wrong(path, "a string", value);
  if (schema.format === "date-time" && Number.isNaN(Date.parse(value)))
    return wrong(path, "a time (RFC 3339)", value);
  return undefined;
}

function wrong(path: string, expected: string, value: Json): string {
  const shown = JSON.stringify(value);
  return `${path}: expected ${expected}, got ${shown.length > 80 ? `${shown.slice(0, 77)}...` : shown}`;
}
