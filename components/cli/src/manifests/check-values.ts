/** Values against the schema of their chart, with words that help: what was expected, and which value was probably meant. Pure. */

import { suggestion } from "@meltemi/validation";
import { isTree, type Tree } from "./tree.ts";

/** Deeper than any value that a chart names; it bounds the recursion. */
const MAX_DEPTH = 24;

/** `path: what is wrong`, for each thing that is. */
export function checkValues(value: unknown, schema: Tree, path: string, depth = 0): readonly string[] {
  if (depth > MAX_DEPTH) return [`${path}: nested deeper than ${MAX_DEPTH} levels`];
  const wrong = wrongScalar(value, schema);
  if (wrong !== undefined) return [`${path}: expected ${wrong}, got ${JSON.stringify(value)}`];
  if (Array.isArray(value)) {
    const { items } = schema;
    return isTree(items)
      ? value.flatMap((item, index) => checkValues(item, items, `${path}[${index}]`, depth + 1))
      : [];
  }
  if (!isTree(value)) return [];
  const properties = isTree(schema["properties"]) ? schema["properties"] : {};
  const others = schema["additionalProperties"];
  return Object.entries(value).flatMap(([key, below]) => {
    const at = path === "" ? key : `${path}.${key}`;
    const known = Object.hasOwn(properties, key) ? properties[key] : undefined;
    if (isTree(known)) return checkValues(below, known, at, depth + 1);
    if (others === false) return [`${at}: no such value${suggestion(key, Object.keys(properties))}`];
    return isTree(others) ? checkValues(below, others, at, depth + 1) : [];
  });
}

/** What was expected instead; undefined when the value fits. */
function wrongScalar(value: unknown, schema: Tree): string | undefined {
  const { type, enum: allowed, pattern, minimum, maximum } = schema;
  if (Array.isArray(allowed) && !allowed.includes(value))
    return `one of ${allowed.map((each) => (each === "" ? '""' : String(each))).join(", ")}`;
  const types = type === undefined ? [] : [type].flat().map(String);
  if (types.length > 0 && !types.some((each) => isOfType(value, each))) return describeTypes(types, schema);
  if (typeof value === "number") {
    if (typeof minimum === "number" && value < minimum) return describeTypes(types, schema);
    if (typeof maximum === "number" && value > maximum) return describeTypes(types, schema);
  }
  if (typeof pattern === "string" && typeof value === "string" && !new RegExp(pattern).test(value))
    return `a text like ${pattern}`;
  return undefined;
}

function isOfType(value: unknown, type: string): boolean {
  switch (type) {
    case "object":
      return isTree(value);
    case "array":
      return Array.isArray(value);
    case "integer":
      return Number.isInteger(value);
    default:
      return typeof value === type;
  }
}

function describeTypes(types: readonly string[], { minimum, maximum }: Tree): string {
  const from = minimum === undefined ? "" : ` from ${minimum}`;
  const to = maximum === undefined ? "" : ` to ${maximum}`;
  const range = minimum !== undefined && maximum === undefined ? ` of at least ${minimum}` : `${from}${to}`;
  const names: Readonly<Record<string, string>> = {
    object: "a map",
    array: "a list",
    string: "a text",
    boolean: "true or false",
    integer: `a whole number${range}`,
    number: `a number${range}`,
  };
  // A number where a text is expected is taken as its digits.
  const shown =
    types.includes("string") && types.length > 1 ? types.filter((type) => type !== "number") : types;
  return shown.map((type) => names[type] ?? type).join(" or ");
}
