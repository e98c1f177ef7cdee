/** What Istio refuses of an AuthorizationPolicy beyond its schema (reference: l7-and-cli §2.1). Pure. */

import { type Findings, shown } from "../findings.ts";
import type { Path } from "../path.ts";
import { checkTargets, type TargetedSpec } from "./targets.ts";

interface Rule {
  readonly from?: readonly unknown[];
  readonly to?: readonly { readonly operation?: Readonly<Record<string, readonly string[]>> }[];
  readonly when?: readonly unknown[];
}

interface PolicySpec extends TargetedSpec {
  readonly action?: string;
  readonly rules?: readonly Rule[];
}

/** Of actions that a policy without rules never takes. */
const WITHOUT_RULES: Readonly<Record<string, string>> = {
  CUSTOM: "expected at least one rule with action CUSTOM: without, nobody is ever asked",
  DENY: "expected at least one rule with action DENY: without, nothing is ever denied; {} denies everything",
};

export function checkAuthorizationPolicy(value: unknown, path: Path, findings: Findings): void {
  const spec = value as PolicySpec;
  checkTargets(spec, path, findings);
  const { action, rules = [] } = spec;
  const problem = WITHOUT_RULES[action ?? "ALLOW"];
  if (problem !== undefined && rules.length === 0) findings.error([...path, "rules"], problem);
  for (const [index, rule] of rules.entries()) checkRule(rule, [...path, "rules", index], findings);
}

function checkRule(rule: Rule, path: Path, findings: Findings): void {
  // Left out it matches everything, empty it would match nothing: nobody who writes it means that.
  for (const clause of ["from", "to", "when"] as const)
    if (rule[clause]?.length === 0)
      findings.error([...path, clause], "expected at least one entry, or no such field, got an empty list");
  for (const [index, { operation = {} }] of (rule.to ?? []).entries())
    for (const field of ["paths", "notPaths"])
      checkTemplates(operation[field] ?? [], [...path, "to", index, "operation", field], findings);
}

function checkTemplates(texts: readonly string[], path: Path, findings: Findings): void {
  for (const [index, text] of texts.entries()) {
    const problem = templateProblem(text);
    if (problem !== undefined) findings.error([...path, index], `${problem}, got ${shown(text)}`);
  }
}

/** `{*}` is one segment, `{**}` any number and the last operator; text without braces is no template. */
export function templateProblem(text: string): string | undefined {
  if (!text.includes("{") && !text.includes("}")) return undefined;
  let hasRest = false;
  for (const segment of text.split("/")) {
    const isOperator = segment === "{*}" || segment === "{**}";
    if (!isOperator && /[*{}]/.test(segment))
      return "expected {*} or {**} to fill a whole segment of the path template";
    if (isOperator && hasRest) return "expected {**} as the last operator of the path template";
    hasRest ||= segment === "{**}";
  }
  return undefined;
}
