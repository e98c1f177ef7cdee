/**
 * A schema, defined once: rendered into the manifest of a CRD and used to check values by our own parsers.
 * A rule beyond the structure carries both its forms: CEL for the API server, a function for us.
 */

export interface Rule<T> {
  readonly message: string;
  /** Common Expression Language, over `self`. Absent where the API server's bound of cost forbids it, in lists within lists. */
  readonly cel?: string;
  readonly holds: (self: T) => boolean;
}

export type Fields = Readonly<Record<string, unknown>>;

export interface TextSchema {
  readonly kind: "text";
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly pattern?: string;
  readonly format?: string;
  readonly oneOf?: readonly string[];
  readonly default?: string;
  readonly rules?: readonly Rule<string>[];
}

export interface IntegerSchema {
  readonly kind: "integer";
  readonly min?: number;
  readonly max?: number;
  readonly format?: string;
  readonly default?: number;
  readonly rules?: readonly Rule<number>[];
}

/** Any number, whole or not. */
export interface DecimalSchema {
  readonly kind: "decimal";
  readonly min?: number;
  readonly max?: number;
}

export interface FlagSchema {
  readonly kind: "flag";
  readonly default?: boolean;
}

export interface ObjectSchema {
  readonly kind: "object";
  readonly properties: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  /** True keeps fields that are not named here; false refuses them (the API server prunes them). */
  readonly open?: boolean;
  readonly default?: unknown;
  readonly rules?: readonly Rule<Fields>[];
  /** Structural constraints that have no field of their own here, such as `oneOf`; the rules repeat them for our parsers. */
  readonly extra?: Fields;
}

export interface ListSchema {
  readonly kind: "list";
  readonly items: Schema;
  readonly minItems?: number;
  readonly maxItems?: number;
  /** Items are unique by these fields. */
  readonly mapKeys?: readonly string[];
  readonly listType?: "atomic" | "set";
  readonly default?: unknown;
  readonly rules?: readonly Rule<readonly unknown[]>[];
}

export interface MapSchema {
  readonly kind: "map";
  readonly values: Schema;
  readonly minProperties?: number;
  readonly maxProperties?: number;
  readonly rules?: readonly Rule<Fields>[];
}

export interface IntegerOrTextSchema {
  readonly kind: "integerOrText";
}

export type Schema =
  | TextSchema
  | IntegerSchema
  | DecimalSchema
  | FlagSchema
  | ObjectSchema
  | ListSchema
  | MapSchema
  | IntegerOrTextSchema;

export function text(options: Omit<TextSchema, "kind"> = {}): TextSchema {
  return { kind: "text", ...options };
}

export function oneOf(...values: readonly string[]): TextSchema {
  return { kind: "text", oneOf: values };
}

export function integer(options: Omit<IntegerSchema, "kind"> = {}): IntegerSchema {
  return { kind: "integer", ...options };
}

export function decimal(min: number, max?: number): DecimalSchema {
  return { kind: "decimal", min, ...(max === undefined ? {} : { max }) };
}

export function flag(): FlagSchema {
  return { kind: "flag" };
}

export function object(
  properties: Readonly<Record<string, Schema>>,
  options: Omit<ObjectSchema, "kind" | "properties"> = {},
): ObjectSchema {
  return { kind: "object", properties, ...options };
}

export function list(items: Schema, options: Omit<ListSchema, "kind" | "items"> = {}): ListSchema {
  return { kind: "list", items, ...options };
}

export function map(values: Schema, options: Omit<MapSchema, "kind" | "values"> = {}): MapSchema {
  return { kind: "map", values, ...options };
}

export const INTEGER_OR_TEXT: IntegerOrTextSchema = { kind: "integerOrText" };

/** True for a field that is there; `null` counts as absent, as it does for the API server. */
export function has(fields: Fields, name: string): boolean {
  return Object.hasOwn(fields, name) && fields[name] !== undefined && fields[name] !== null;
}

export function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
