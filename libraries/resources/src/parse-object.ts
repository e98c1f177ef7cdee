/** From an object of the API to a domain value: metadata, structure, then the meaning of its spec. */

import { type Metadata, parseMetadata } from "./metadata.ts";
import { type Parsed, Problems, shown } from "./problem.ts";
import { type Fields, isFields, type ObjectSchema } from "./schema/schema.ts";
import { validate } from "./schema/validate.ts";

/** `read` runs only on a spec that satisfies the schema, and may add problems that a schema cannot express. */
export function parseObject<T>(
  kind: string,
  schema: ObjectSchema,
  object: unknown,
  read: (spec: Fields, metadata: Metadata, problems: Problems) => T,
): Parsed<T> {
  const problems = new Problems();
  if (!isFields(object)) {
    problems.add("", `expected an object of kind ${kind}, got ${shown(object)}`);
    return { kind: "invalid", problems: problems.found };
  }
  if (object["kind"] !== undefined && object["kind"] !== kind)
    problems.add("kind", `expected ${kind}, got ${shown(object["kind"])}`);
  const metadata = parseMetadata(object["metadata"], problems);
  const spec = object["spec"] ?? {};
  validate(schema, spec, "spec", problems);
  if (metadata === undefined || problems.found.length > 0 || !isFields(spec))
    return { kind: "invalid", problems: problems.found };
  const value = read(spec, metadata, problems);
  return problems.found.length > 0 ? { kind: "invalid", problems: problems.found } : { kind: "ok", value };
}

/** A spec in the form of its API, which its schema has checked. `null` stands nowhere in it. */
export interface Stored<S> {
  readonly metadata: Metadata;
  readonly spec: S;
}

/** For kinds that are understood where they are compiled: `S` must be what `schema` lets through. */
export function parseStored<S>(kind: string, schema: ObjectSchema, object: unknown): Parsed<Stored<S>> {
  return parseObject(kind, schema, object, (spec, metadata) => ({
    metadata,
    spec: withoutNulls(spec) as S,
  }));
}

/** The API server takes `null` as absent. Depth is bounded by the schema that the value has passed. */
function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (!isFields(value)) return value;
  const kept = Object.entries(value).filter(([, inner]) => inner !== null && inner !== undefined);
  return Object.fromEntries(kept.map(([name, inner]) => [name, withoutNulls(inner)]));
}

/** A field that the schema says is a list of text; empty when absent. */
export function textList(fields: Fields, name: string): readonly string[] {
  const value = fields[name];
  return Array.isArray(value) ? (value as readonly string[]) : [];
}

/** A field that the schema says is a list of objects; empty when absent. */
export function fieldsList(fields: Fields, name: string): readonly Fields[] {
  const value = fields[name];
  return Array.isArray(value) ? (value as readonly Fields[]) : [];
}

/** A field that the schema says is an object; undefined when absent. */
export function fieldsAt(fields: Fields, name: string): Fields | undefined {
  const value = fields[name];
  return isFields(value) ? value : undefined;
}

/** A field that the schema says is text; undefined when absent. */
export function textAt(fields: Fields, name: string): string | undefined {
  const value = fields[name];
  return typeof value === "string" ? value : undefined;
}

/** A field that the schema says is a number; undefined when absent. */
export function numberAt(fields: Fields, name: string): number | undefined {
  const value = fields[name];
  return typeof value === "number" ? value : undefined;
}
