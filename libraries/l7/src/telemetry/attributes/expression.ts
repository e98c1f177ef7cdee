/** CEL expressions of Telemetry resources over Envoy's attributes, compiled once (reference: l7-and-cli §2.9). */

import { type ASTNode, Environment } from "@marcbachmann/cel-js";
import { describeError } from "@meltemi/runtime";
import { RegexCache } from "../../text/regex.ts";

const VARIABLES = [
  "request",
  "response",
  "source",
  "destination",
  "connection",
  "upstream",
  "xds",
  "metadata",
  "filter_state",
] as const;

type Variable = (typeof VARIABLES)[number];

/** Variable → attribute → its value in a record; an undefined value is an attribute that is not there. */
export type AttributeTable<R> = Readonly<Record<Variable, Readonly<Record<string, (record: R) => unknown>>>>;

/** Undefined when it fails: an attribute that is not there, values that do not fit. */
export type BoundExpression<R> = (record: R) => unknown;

export interface Expression {
  /** For records of one kind; only those attributes are worked out that the expression names. */
  bind<R>(table: AttributeTable<R>): BoundExpression<R>;
}

export type ExpressionOutcome =
  | { readonly kind: "ok"; readonly expression: Expression }
  | { readonly kind: "bad"; readonly why: string };

/** Whoever writes a longer one generates it; evaluation is linear in it. */
const MAX_EXPRESSION_LENGTH = 4096;

const regexes = new RegexCache();

/** CEL's `matches` finds its RE2 pattern anywhere in the text; that of the library is a back-tracking engine's. */
function matchesAnywhere(text: string, pattern: string): boolean {
  const outcome = regexes.compile(anywhere(pattern));
  if (outcome.kind === "bad") throw new Error(outcome.why);
  return outcome.regex.matches(text);
}

function anywhere(pattern: string): string {
  return `(?s:.*?)(?:${pattern})(?s:.*)`;
}

const environment = VARIABLES.reduce(
  (made, name) => made.registerVariable(name, "dyn"),
  new Environment({
    homogeneousAggregateLiterals: false,
    unlistedVariablesAreDyn: false,
    limits: { maxAstNodes: 500, maxDepth: 50, maxListElements: 200, maxMapEntries: 200 },
  }).registerFunction("string.matchesRe2(string): bool", matchesAnywhere),
);

export function compileExpression(text: string): ExpressionOutcome {
  if (text.length > MAX_EXPRESSION_LENGTH)
    return { kind: "bad", why: `compile CEL: expected at most ${MAX_EXPRESSION_LENGTH} characters` };
  try {
    const compiled = environment.parse(withLinearRegexes(text));
    const { valid, error } = compiled.check();
    if (!valid) return refused(text, error);
    const uses = new Map<string, Set<string> | "all">();
    collectUses(compiled.ast, uses);
    return { kind: "ok", expression: { bind: (table) => bind(compiled, uses, table) } };
  } catch (error) {
    return refused(text, error);
  }
}

type Uses = ReadonlyMap<string, ReadonlySet<string> | "all">;

/** An object of the one or two attributes that are named costs a tenth of one of all with getters. */
function bind<R>(
  compiled: (context: Record<string, unknown>) => unknown,
  uses: Uses,
  table: AttributeTable<R>,
): BoundExpression<R> {
  const wanted = VARIABLES.flatMap((variable) => {
    const used = uses.get(variable);
    if (used === undefined) return [];
    const fields = Object.entries(table[variable]).filter(([field]) => used === "all" || used.has(field));
    return [{ variable, fields }];
  });
  return (record) => {
    const context: Record<string, unknown> = {};
    try {
      for (const { variable, fields } of wanted) {
        const values: Record<string, unknown> = {};
        for (const [field, read] of fields) {
          const value = read(record);
          if (value !== undefined) values[field] = value;
        }
        context[variable] = values;
      }
      return compiled(context);
    } catch {
      // What an expression asks for is often not there; that is no fault of anyone.
      return undefined;
    }
  };
}

/** Which attributes are named; a variable used in any other way wants them all. */
function collectUses(node: ASTNode, uses: Map<string, Set<string> | "all">): void {
  if (node.op === "id") {
    uses.set(node.args, "all");
    return;
  }
  const isSelection = node.op === "." || node.op === ".?";
  if (isSelection && node.args[0].op === "id") {
    const [{ args: variable }, field] = node.args;
    const before = uses.get(String(variable)) ?? new Set();
    if (before !== "all") uses.set(String(variable), before.add(field));
    return;
  }
  forEachChild(node.args, (child) => collectUses(child, uses));
}

function refused(text: string, error: unknown): ExpressionOutcome {
  const [line = ""] = describeError(error).split("\n");
  return { kind: "bad", why: `compile CEL ${JSON.stringify(text)}: ${line}` };
}

/** Sends every `x.matches(y)` to the engine whose time is linear in the text. */
function withLinearRegexes(text: string): string {
  const places: number[] = [];
  collectMatches(environment.parse(text).ast, text, places);
  let rewritten = text;
  for (const at of places.sort((a, b) => b - a))
    rewritten = `${rewritten.slice(0, at)}matchesRe2${rewritten.slice(at + "matches".length)}`;
  return rewritten;
}

function collectMatches(node: ASTNode, text: string, places: number[]): void {
  if (node.op === "rcall" && node.args[0] === "matches") {
    const [, receiver, [pattern]] = node.args;
    checkPattern(pattern);
    places.push(text.indexOf("matches", receiver.range.end));
  }
  forEachChild(node.args, (child) => collectMatches(child, text, places));
}

/** Patterns are compiled once, and are those of the configuration: never what a client sends. */
function checkPattern(pattern: ASTNode | undefined): void {
  if (pattern?.op !== "value" || typeof pattern.args !== "string")
    throw new Error("matches(): expected a pattern in quotes");
  const outcome = regexes.compile(anywhere(pattern.args));
  if (outcome.kind === "bad") throw new Error(outcome.why);
}

function forEachChild(args: unknown, visit: (child: ASTNode) => void): void {
  if (isNode(args)) visit(args);
  else if (Array.isArray(args)) for (const each of args) forEachChild(each, visit);
}

function isNode(value: unknown): value is ASTNode {
  return typeof value === "object" && value !== null && "op" in value && "range" in value;
}
