/** `x-kubernetes-validations`: rules in CEL, compiled once, judged against a value and the one it replaces. */

import { isIP, isIPv4, isIPv6 } from "node:net";
import { Environment } from "@marcbachmann/cel-js";
import { describeError } from "@meltemi/runtime";
import { safePattern } from "../schema/safe-pattern.ts";
import { HAS_FIELD, LINEAR_MATCHES, type RuleShape, readRule } from "./cel-source.ts";
import type { CelValue } from "./cel-value.ts";

/** A rule is small; what is larger was not written by a person. */
const LIMITS = {
  maxAstNodes: 5_000,
  maxDepth: 100,
  maxListElements: 1_000,
  maxMapEntries: 1_000,
  maxCallArguments: 32,
};

/** Kubernetes' own rules stay below two thousand. */
const MAX_RULE_CHARACTERS = 16_384;

function environmentOf(variables: readonly string[]): Environment {
  const environment = new Environment({
    enableOptionalTypes: true,
    homogeneousAggregateLiterals: false,
    unlistedVariablesAreDyn: false,
    limits: LIMITS,
  })
    .registerFunction(`${HAS_FIELD}(dyn, string): bool`, hasField)
    .registerFunction(`string.${LINEAR_MATCHES}(string): bool`, linearMatches)
    .registerFunction("isURL(string): bool", (text: string) => URL.canParse(text))
    .registerFunction("isIP(string): bool", (text: string) => isIP(text) !== 0)
    .registerFunction("isCIDR(string): bool", isCidr)
    .registerFunction("list.isSorted(): bool", (list: readonly CelValue[]) => isSorted(list))
    .registerFunction("list.sum(): dyn", (list: readonly CelValue[]) => sum(list))
    .registerFunction("list.min(): dyn", (list: readonly CelValue[]) => extreme(list, -1))
    .registerFunction("list.max(): dyn", (list: readonly CelValue[]) => extreme(list, 1));
  for (const name of variables) environment.registerVariable(name, "dyn");
  return environment;
}

export type Compiled =
  | {
      readonly kind: "rule";
      readonly usesOld: boolean;
      readonly shape: RuleShape;
      readonly judge: (self: CelValue, old: CelValue | undefined) => unknown;
      readonly judgeWith: (variables: Readonly<Record<string, CelValue>>) => unknown;
    }
  | { readonly kind: "bad"; readonly why: string };

/** Emptied rather than left to grow: CRDs come and go. */
const MAX_CACHED = 4_096;

/** Compiles expressions over these variables, each of them once. */
export function createRuleCompiler(variables: readonly string[]): (rule: string) => Compiled {
  const environment = environmentOf(variables);
  const cache = new Map<string, Compiled>();
  return (rule) => {
    const known = cache.get(rule);
    if (known !== undefined) return known;
    if (cache.size >= MAX_CACHED) cache.clear();
    const compiled = compile(environment, rule);
    cache.set(rule, compiled);
    return compiled;
  };
}

/** Rules of a schema: about a value, and the one that it replaces. */
export const compileRule: (rule: string) => Compiled = createRuleCompiler(["self", "oldSelf"]);

function compile(environment: Environment, rule: string): Compiled {
  if (rule.length > MAX_RULE_CHARACTERS)
    return { kind: "bad", why: `expected at most ${MAX_RULE_CHARACTERS} characters, got ${rule.length}` };
  try {
    const { text, shape } = readRule(rule);
    const judgeWith = environment.parse(text);
    const judge = (self: CelValue, old: CelValue | undefined): unknown =>
      judgeWith({ self, ...(old === undefined ? {} : { oldSelf: old }) });
    return { kind: "rule", usesOld: /\boldSelf\b/.test(rule), shape, judge, judgeWith };
  } catch (error) {
    return { kind: "bad", why: firstLine(error) };
  }
}

/** CEL's errors draw the expression below their first line. */
export function firstLine(error: unknown): string {
  return describeError(error).split("\n")[0] ?? "";
}

function hasField(value: CelValue, name: string): boolean {
  if (value instanceof Map) return value.has(name);
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new Error(`has(): expected a value with fields before .${name}`);
  return Object.hasOwn(value, name);
}

function linearMatches(text: string, pattern: string): boolean {
  const test = safePattern(pattern);
  if (test === undefined)
    throw new Error(`matches(): expected an RE2 expression, got ${JSON.stringify(pattern)}`);
  return test(text);
}

function isCidr(text: string): boolean {
  const [address = "", length = "", ...more] = text.split("/");
  const bits = isIPv4(address) ? 32 : isIPv6(address) ? 128 : -1;
  return more.length === 0 && /^\d{1,3}$/.test(length) && Number(length) <= bits;
}

function compare(a: CelValue, b: CelValue): number {
  if (a === null || b === null) return 0;
  return a < b ? -1 : a > b ? 1 : 0;
}

function isSorted(list: readonly CelValue[]): boolean {
  return list.every((item, index) => index === 0 || compare(list[index - 1] ?? null, item) <= 0);
}

function sum(list: readonly CelValue[]): CelValue {
  if (list.every((item) => typeof item === "bigint")) return list.reduce((total, item) => total + item, 0n);
  return list.reduce<number>((total, item) => total + Number(item), 0);
}

function extreme(list: readonly CelValue[], direction: number): CelValue {
  return list.reduce((best, item) => (compare(item, best) * direction > 0 ? item : best), list[0] ?? null);
}
