/** Defaults of structural schemas: filled in where a field is absent, or null and not nullable. */
import { clone, isObject, type Json, type JsonObject, setKey } from "../json.ts";
import { propertySchema, type Schema } from "./schema.ts";

/** A new value with the defaults in it. */
export function fillDefaults(schema: Schema, value: Json): Json {
  if (Array.isArray(value)) {
    const { items } = schema;
    return items === undefined ? value : value.map((item) => fillDefaults(items, item));
  }
  if (!isObject(value)) return value;
  const result: JsonObject = {};
  for (const [key, child] of Object.entries(value)) {
    const property = propertySchema(schema, key);
    if (property === undefined) setKey(result, key, child);
    else if (child === null && property.nullable !== true) {
      // A null where none may be is an absent field; without a default it is cut.
      if (property.default !== undefined) setKey(result, key, clone(property.default));
    } else setKey(result, key, fillDefaults(property, child));
  }
  for (const [key, property] of Object.entries(schema.properties ?? {})) {
    if (property.default === undefined || Object.hasOwn(result, key)) continue;
    setKey(result, key, fillDefaults(property, clone(property.default)));
  }
  return result;
}
