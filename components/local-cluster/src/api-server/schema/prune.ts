/** Cutting an object down to what its schema knows, and saying what was cut (fieldValidation). */
import { isObject, type Json, type JsonObject, setKey } from "../json.ts";
import { OBJECT_META, propertySchema, resolveSchema, type Schema } from "./schema.ts";

export interface Pruned {
  readonly value: Json;
  /** Paths of fields that the schema does not know, `spec.containers[0].imag`. */
  readonly unknown: readonly string[];
}

/** A report longer than this helps nobody; an attacker must not make it large. */
const MAX_REPORTED = 32;

export interface PruneOptions {
  /** Built-in types treat null as absent; custom ones keep it for `nullable` and defaults to judge. */
  readonly dropNulls: boolean;
}

export function prune(schema: Schema, value: Json, options: PruneOptions): Pruned {
  const unknown: string[] = [];
  const pruned = pruneValue(schema, value, { ...options, unknown }, "");
  return { value: pruned, unknown };
}

interface Walk extends PruneOptions {
  readonly unknown: string[];
}

function pruneValue(use: Schema, value: Json, walk: Walk, path: string): Json {
  const schema = resolveSchema(use);
  if (Array.isArray(value)) {
    const { items } = schema;
    if (items === undefined) return value;
    return value.map((item, index) => pruneValue(items, item, walk, `${path}[${index}]`));
  }
  if (!isObject(value)) return value;
  const preserve = schema["x-kubernetes-preserve-unknown-fields"] === true || isOpen(schema);
  if (preserve && schema.properties === undefined) return value;
  return pruneObject(schema, value, walk, path, preserve);
}

/** A schema that says nothing about an object's fields keeps all of them. */
function isOpen(schema: Schema): boolean {
  if (schema["x-kubernetes-int-or-string"] === true || schema.additionalProperties === true) return true;
  return (
    schema.type === undefined && schema.properties === undefined && schema.additionalProperties === undefined
  );
}

function pruneObject(
  schema: Schema,
  value: JsonObject,
  walk: Walk,
  path: string,
  preserve: boolean,
): JsonObject {
  const result: JsonObject = {};
  const embedded = schema["x-kubernetes-embedded-resource"] === true;
  for (const [key, child] of Object.entries(value)) {
    const below = path === "" ? key : `${path}.${key}`;
    const property = propertySchema(schema, key) ?? (embedded ? EMBEDDED[key] : undefined);
    if (property === undefined) {
      if (preserve) setKey(result, key, child);
      else if (walk.unknown.length < MAX_REPORTED) walk.unknown.push(below);
    } else if (child !== null || !walk.dropNulls) {
      setKey(result, key, pruneValue(property, child, walk, below));
    }
  }
  return result;
}

const EMBEDDED: Readonly<Record<string, Schema>> = {
  apiVersion: { type: "string" },
  kind: { type: "string" },
  metadata: { $ref: OBJECT_META },
};
