/** `x-kubernetes-validations`: what a definition asks beyond the structure, in CEL (Kubernetes, "CRD validation rules"). */

import { Environment } from "@marcbachmann/cel-js";
import type { Findings } from "./findings.ts";
import type { Path } from "./path.ts";

export interface ValidationRule {
  readonly rule: string;
  readonly message?: string;
}

type Judge = (variables: { readonly self: unknown }) => unknown;

/** The rules are our definitions' own; the bounds are on what they are applied to. */
const LIMITS = { maxListElements: 1000, maxMapEntries: 1000 };

/** Beyond CEL itself, what our definitions use of Kubernetes' libraries. */
const environment = new Environment({
  homogeneousAggregateLiterals: false,
  unlistedVariablesAreDyn: false,
  limits: LIMITS,
})
  .registerVariable("self", "dyn")
  .registerFunction("isURL(string): bool", (text: string) => URL.canParse(text))
  .registerFunction("list.sum(): int", (list: readonly bigint[]) =>
    list.reduce((total, item) => total + item, 0n),
  );

/** Compiled rules: as many as our definitions have. */
const compiled = new Map<string, Judge>();

/** Throws when `rule` is not CEL: that is a fault of the definition, not of what is checked. */
export function compileRule(rule: string): Judge {
  const known = compiled.get(rule);
  if (known !== undefined) return known;
  const judge: Judge = environment.parse(rule);
  compiled.set(rule, judge);
  return judge;
}

export function checkRules(
  rules: readonly ValidationRule[],
  value: unknown,
  path: Path,
  findings: Findings,
): void {
  if (rules.length === 0) return;
  const self = celValue(value);
  for (const { rule, message } of rules) {
    if (!holds(rule, self)) findings.error(path, message ?? `expected ${rule}`);
  }
}

/** A rule that cannot be judged is broken, as for the API server. */
function holds(rule: string, self: unknown): boolean {
  const judge = compileRule(rule);
  try {
    return judge({ self }) === true;
  } catch {
    return false;
  }
}

/** CEL tells whole numbers from others by their type. */
function celValue(value: unknown): unknown {
  if (typeof value === "number") return Number.isInteger(value) ? BigInt(value) : value;
  if (Array.isArray(value)) return value.map(celValue);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).filter(([, inner]) => inner !== null);
  return new Map(entries.map(([name, inner]) => [name, celValue(inner)]));
}
