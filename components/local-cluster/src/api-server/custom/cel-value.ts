/** JSON as CEL sees it through a schema: whole numbers as `int`, field names escaped where CEL could not spell them. */
import { isObject, type Json } from "../json.ts";
import { propertySchema, resolveSchema, type Schema } from "../schema/schema.ts";

export type CelValue =
  | null
  | boolean
  | bigint
  | number
  | string
  | Uint8Array
  | Date
  | CelValue[]
  | Map<string, CelValue>
  | { [key: string]: CelValue };

/** Words that CEL keeps for itself (Kubernetes' escaping rules for field names). */
const RESERVED = new Set(
  "true false null in as break const continue else for function if import let loop package namespace return var void while".split(
    " ",
  ),
);

function escapeFieldName(name: string): string {
  if (RESERVED.has(name)) return `__${name}__`;
  return name
    .replaceAll("__", "__underscores__")
    .replaceAll(".", "__dot__")
    .replaceAll("-", "__dash__")
    .replaceAll("/", "__slash__");
}

export function toCel(use: Schema, value: Json): CelValue {
  const schema = resolveSchema(use);
  if (typeof value === "number")
    return schema.type === "number" || !Number.isInteger(value) ? value : BigInt(value);
  if (typeof value === "string") return textToCel(schema, value);
  if (Array.isArray(value)) return value.map((item) => toCel(schema.items ?? {}, item));
  if (!isObject(value)) return value;
  const result: { [key: string]: CelValue } = Object.create(null) as { [key: string]: CelValue };
  for (const [key, child] of Object.entries(value)) {
    const declared = schema.properties !== undefined && Object.hasOwn(schema.properties, key);
    result[declared ? escapeFieldName(key) : key] = toCel(propertySchema(schema, key) ?? {}, child);
  }
  return result;
}

function textToCel(schema: Schema, value: string): CelValue {
  if (schema.format === "date-time" || schema.format === "date") {
    const atMs = Date.parse(value);
    return Number.isNaN(atMs) ? value : new Date(atMs);
  }
  return schema.format === "byte" ? Buffer.from(value, "base64") : value;
}
