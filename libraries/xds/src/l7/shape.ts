/**
 * The structure of JSON from outside, checked against the type that it is to be. A shape that misses a field of its type, or has
 * one too many, does not compile; a value that has an unknown field is refused, for what it says might be a restriction.
 */

import { MeshError } from "@meltemi/runtime";

/** What is wrong, and where: `httpRoutes[3].action.timeoutMs`. */
interface Fault {
  readonly path: string;
  readonly expected: string;
  readonly got: unknown;
}

export interface Shape<T> {
  readonly check: (value: unknown) => Fault | undefined;
  /** Never there: it ties the shape to its type. */
  readonly type?: T;
}

/** A field that may be absent. */
export interface Maybe<T> {
  readonly maybe: Shape<T>;
}

export type FieldShapes<T> = {
  readonly [K in keyof T]-?: object extends Pick<T, K> ? Maybe<Exclude<T[K], undefined>> : Shape<T[K]>;
};

/** No list of a resource is longer: ten thousand routes with ten of everything. */
const MAX_ITEMS = 100_000;
/** A PEM bundle, a key set or a body of an answer: an object of Kubernetes holds no more. */
const MAX_TEXT_LENGTH = 1_500_000;
const MAX_SHOWN = 80;

/** Throws INPUT_INVALID that names `what`, the place, what was expected and what was there. */
export function requireShape<T>(what: string, shape: Shape<T>, value: unknown): T {
  const fault = shape.check(value);
  if (fault === undefined) return value as T;
  const { path, expected, got } = fault;
  const place = path === "" ? what : `${what} ${path}`;
  throw new MeshError("INPUT_INVALID", `read ${place}: expected ${expected}, got ${shown(got)}`);
}

export const flag: Shape<boolean> = leaf("true or false", (value) => typeof value === "boolean");

/** Any text, `minLength` to `maxLength` UTF-16 units long. */
export function text(minLength = 0, maxLength: number = MAX_TEXT_LENGTH): Shape<string> {
  return leaf(
    `text of ${minLength} to ${maxLength} characters`,
    (value) => typeof value === "string" && value.length >= minLength && value.length <= maxLength,
  );
}

export function textLike(expected: string, pattern: RegExp, maxLength: number): Shape<string> {
  return leaf(
    expected,
    (value) => typeof value === "string" && value.length <= maxLength && pattern.test(value),
  );
}

export function oneOf<const T extends string | number>(...values: readonly T[]): Shape<T> {
  const known = new Set<unknown>(values);
  return leaf(`one of ${values.join(", ")}`, (value) => known.has(value));
}

export function integer(min: number, max: number): Shape<number> {
  return leaf(
    `a whole number from ${min} to ${max}`,
    (value) => Number.isInteger(value) && (value as number) >= min && (value as number) <= max,
  );
}

export function decimal(min: number, max: number): Shape<number> {
  return leaf(
    `a number from ${min} to ${max}`,
    (value) => typeof value === "number" && value >= min && value <= max,
  );
}

export function maybe<T>(shape: Shape<T>): Maybe<T> {
  return { maybe: shape };
}

/** Any of the shapes; the fault is the last one's. */
export function either<A, B>(first: Shape<A>, second: Shape<B>): Shape<A | B> {
  return { check: (value) => (first.check(value) === undefined ? undefined : second.check(value)) };
}

export function list<T>(item: Shape<T>, maxItems: number = MAX_ITEMS): Shape<readonly T[]> {
  return {
    check(value) {
      if (!Array.isArray(value)) return { path: "", expected: "a list", got: value };
      if (value.length > maxItems)
        return { path: "", expected: `at most ${maxItems} items`, got: value.length };
      for (let index = 0; index < value.length; index++) {
        const fault = item.check(value[index]);
        if (fault !== undefined) return { ...fault, path: join(`[${index}]`, fault.path) };
      }
      return undefined;
    },
  };
}

/** A list of exactly two: a name and its value. */
export function pair<A, B>(first: Shape<A>, second: Shape<B>): Shape<readonly [A, B]> {
  return {
    check(value) {
      if (!Array.isArray(value) || value.length !== 2)
        return { path: "", expected: "a list of two", got: value };
      const fault = first.check(value[0]) ?? second.check(value[1]);
      return fault && { ...fault, path: join("[]", fault.path) };
    },
  };
}

export function record<T>(item: Shape<T>): Shape<Readonly<Record<string, T>>> {
  return {
    check(value) {
      if (!isFields(value)) return { path: "", expected: "an object", got: value };
      const names = Object.keys(value);
      if (names.length > MAX_ITEMS)
        return { path: "", expected: `at most ${MAX_ITEMS} entries`, got: names.length };
      for (const name of names) {
        const fault = item.check(value[name]);
        if (fault !== undefined) return { ...fault, path: join(`[${shown(name)}]`, fault.path) };
      }
      return undefined;
    },
  };
}

export function object<T>(fields: FieldShapes<T>): Shape<T> {
  const known = Object.entries(fields) as readonly (readonly [string, Shape<unknown> | Maybe<unknown>])[];
  return {
    check: (value) =>
      isFields(value) ? checkFields(known, fields, value) : { path: "", expected: "an object", got: value },
  };
}

/** A union whose members are told apart by `kind`. */
export function union<T extends { readonly kind: string }>(
  variants: {
    readonly [K in T["kind"]]: FieldShapes<Omit<Extract<T, { readonly kind: K }>, "kind">>;
  },
): Shape<T> {
  const shapes = new Map<unknown, Shape<unknown>>(
    Object.entries(variants).map(([kind, fields]) => [
      kind,
      object({ kind: oneOf(kind), ...(fields as object) } as FieldShapes<{ readonly kind: string }>),
    ]),
  );
  return {
    check(value) {
      if (!isFields(value)) return { path: "", expected: "an object", got: value };
      const shape = shapes.get(value["kind"]);
      if (shape !== undefined) return shape.check(value);
      return { path: "kind", expected: `one of ${[...shapes.keys()].join(", ")}`, got: value["kind"] };
    },
  };
}

function checkFields(
  known: readonly (readonly [string, Shape<unknown> | Maybe<unknown>])[],
  fields: object,
  value: Readonly<Record<string, unknown>>,
): Fault | undefined {
  let seen = 0;
  for (const [name, field] of known) {
    if (!Object.hasOwn(value, name)) {
      if ("maybe" in field) continue;
      return { path: name, expected: "a value", got: undefined };
    }
    seen++;
    const fault = ("maybe" in field ? field.maybe : field).check(value[name]);
    if (fault !== undefined) return { ...fault, path: join(name, fault.path) };
  }
  const names = Object.keys(value);
  if (names.length === seen) return undefined;
  const stranger = names.find((name) => !Object.hasOwn(fields, name)) ?? "";
  return { path: shown(stranger), expected: "no such field", got: value[stranger] };
}

function leaf<T>(expected: string, holds: (value: unknown) => boolean): Shape<T> {
  return { check: (value) => (holds(value) ? undefined : { path: "", expected, got: value }) };
}

function join(outer: string, inner: string): string {
  if (inner === "") return outer;
  return inner.startsWith("[") ? `${outer}${inner}` : `${outer}.${inner}`;
}

function isFields(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Only what kind of thing it was for all but short plain values: a resource may hold a private key. */
function shown(value: unknown): string {
  if (typeof value === "string" && value.length > MAX_SHOWN) return `${value.length} characters`;
  if (typeof value === "string") return JSON.stringify(value);
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (typeof value === "object" && value !== null) return "an object";
  return value === undefined ? "nothing" : String(value);
}
