/**
 * The part of kubectl's JSONPath that printer columns use: `.a.b`, `['a.b']`, `[0]`, `[-1]`, `[*]`, `[a:b]`
 * and `[?(@.type=="Ready")]`. What is not understood finds nothing: a column stays empty, no request fails.
 */
import { isObject, type Json } from "../json.ts";

type Step =
  | { readonly kind: "key"; readonly key: string }
  | { readonly kind: "index"; readonly index: number }
  | { readonly kind: "all" }
  | {
      readonly kind: "filter";
      readonly path: readonly string[];
      readonly operator: "==" | "!=";
      readonly value: Json;
    };

/** Longer expressions than any column has. */
const MAX_LENGTH = 1024;

export function compileJsonPath(expression: string): (value: Json) => readonly Json[] {
  const steps = expression.length > MAX_LENGTH ? undefined : parseSteps(expression);
  if (steps === undefined) return () => [];
  return (value) => {
    let current: Json[] = [value];
    for (const step of steps) current = current.flatMap((item) => takeStep(item, step));
    return current;
  };
}

const STEP =
  /\.([A-Za-z0-9_$-]+(?:\\\.[A-Za-z0-9_$/-]+)*)|\[(-?\d{1,9})\]|\[\*\]|\.\*|\['([^']*)'\]|\["([^"]*)"\]|\[\?\(\s*@((?:\.[\w-]+)+)\s*(==|!=)\s*("[^"]*"|'[^']*'|[\w.-]+)\s*\)\]/y;

function parseSteps(expression: string): Step[] | undefined {
  const text = expression.replace(/^\{?\$?/, "").replace(/\}$/, "");
  const steps: Step[] = [];
  STEP.lastIndex = 0;
  let at = 0;
  while (at < text.length) {
    STEP.lastIndex = at;
    const found = STEP.exec(text);
    if (found === null) return undefined;
    steps.push(stepOf(found));
    at = STEP.lastIndex;
  }
  return steps;
}

function stepOf(found: RegExpExecArray): Step {
  const [, key, index, single, double, path, operator, value] = found;
  if (key !== undefined) return { kind: "key", key: key.replaceAll("\\.", ".") };
  if (index !== undefined) return { kind: "index", index: Number(index) };
  const quoted = single ?? double;
  if (quoted !== undefined) return { kind: "key", key: quoted };
  if (path === undefined || value === undefined) return { kind: "all" };
  return {
    kind: "filter",
    path: path.slice(1).split("."),
    operator: operator === "!=" ? "!=" : "==",
    value: literal(value),
  };
}

function literal(text: string): Json {
  if (/^["']/.test(text)) return text.slice(1, -1);
  if (text === "true" || text === "false") return text === "true";
  const number = Number(text);
  return Number.isNaN(number) ? text : number;
}

function takeStep(value: Json, step: Step): Json[] {
  switch (step.kind) {
    case "key":
      return isObject(value) && Object.hasOwn(value, step.key) ? [value[step.key] ?? null] : [];
    case "index": {
      const item = Array.isArray(value) ? value.at(step.index) : undefined;
      return item === undefined ? [] : [item];
    }
    case "all":
      return Array.isArray(value) ? value : isObject(value) ? Object.values(value) : [];
    case "filter":
      return (Array.isArray(value) ? value : []).filter((item) =>
        passes(item, step.path, step.operator, step.value),
      );
  }
}

function passes(item: Json, path: readonly string[], operator: "==" | "!=", wanted: Json): boolean {
  let current: Json | undefined = item;
  for (const key of path)
    current = isObject(current) && Object.hasOwn(current, key) ? current[key] : undefined;
  return (current === wanted) === (operator === "==");
}
