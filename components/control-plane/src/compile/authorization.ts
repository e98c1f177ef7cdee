/** AuthorizationPolicy → L4 policy for ztunnel, and how much of it ztunnel enforces (reference: protocol §5.5). */

import type { Policy, PolicyMatch } from "@meltemi/model";
import type { PolicyRule } from "@meltemi/model/l7";
import type { AuthorizationPolicyFacts, PolicyFault } from "./facts.ts";
import {
  isEmptyMatch,
  matchCondition,
  matchOperation,
  matchSource,
  type PartialMatch,
} from "./policy-match.ts";
import type { CompileSettings } from "./settings.ts";

/** What ztunnel makes of a policy; the source of its status condition. */
export type ZtunnelVerdict =
  /** All of it is enforced. */
  | { readonly kind: "enforced" }
  /** It has targetRefs: it is for waypoints. */
  | { readonly kind: "notForZtunnel" }
  /** Nothing is sent. */
  | { readonly kind: "unsupported"; readonly what: "AUDIT action" | "CUSTOM action" | "dry run" }
  /** The object cannot be read. `enforced`: what of it is, as `sources/stand-in.ts` made it. */
  | {
      readonly kind: "invalid";
      readonly problems: string;
      readonly enforced:
        | { readonly kind: "lastGood"; readonly generation: number }
        | { readonly kind: "allowsLess" }
        | { readonly kind: "deniesMore" }
        | { readonly kind: "nothing" };
    }
  /** Attributes are beyond L4. */
  | {
      readonly kind: "partial";
      readonly attributes: readonly string[];
      readonly effect: "rulesOmitted" | "attributesIgnored" | "someRulesInert" | "noEffect";
    };

export interface CompiledPolicy {
  readonly policy: Policy | undefined;
  readonly verdict: ZtunnelVerdict;
}

export function compileAuthorizationPolicy(
  source: AuthorizationPolicyFacts,
  settings: CompileSettings,
): CompiledPolicy {
  const compiled = compileReadable(source, settings);
  const { fault } = source;
  return fault === undefined ? compiled : { ...compiled, verdict: invalidVerdict(fault, compiled.policy) };
}

function invalidVerdict(fault: PolicyFault, policy: Policy | undefined): ZtunnelVerdict {
  const { problems, lastGoodGeneration } = fault;
  if (policy === undefined) return { kind: "invalid", problems, enforced: { kind: "nothing" } };
  if (lastGoodGeneration !== undefined)
    return { kind: "invalid", problems, enforced: { kind: "lastGood", generation: lastGoodGeneration } };
  return {
    kind: "invalid",
    problems,
    enforced: { kind: policy.action === "allow" ? "allowsLess" : "deniesMore" },
  };
}

function compileReadable(source: AuthorizationPolicyFacts, settings: CompileSettings): CompiledPolicy {
  if (source.targetRefs.length > 0) return { policy: undefined, verdict: { kind: "notForZtunnel" } };
  if (source.action === "AUDIT" || source.action === "CUSTOM")
    return { policy: undefined, verdict: { kind: "unsupported", what: `${source.action} action` } };
  if (source.dryRun && !settings.dryRunPolicies)
    return { policy: undefined, verdict: { kind: "unsupported", what: "dry run" } };
  const rules = source.rules.map((rule) => compileRule(rule, source.namespace));
  const action = source.action === "ALLOW" ? "allow" : "deny";
  return {
    policy: {
      name: source.name,
      namespace: source.namespace,
      scope: scopeOf(source, settings),
      action,
      // An ALLOW rule with an attribute that cannot be checked would allow more than it says: it is left out.
      rules: rules
        .filter(({ attributes }) => action === "deny" || attributes.length === 0)
        .map(({ clauses }) => clauses),
      dryRun: source.dryRun,
    },
    verdict: verdictOf(rules, action),
  };
}

interface CompiledRule {
  readonly clauses: readonly (readonly PolicyMatch[])[];
  readonly attributes: readonly string[];
}

/** One clause for all operations, one for all sources, then one per condition: the order of Istio's. */
function compileRule(rule: PolicyRule, namespace: string): CompiledRule {
  const clauses: (readonly PartialMatch[])[] = [];
  if (rule.to.length > 0) clauses.push(rule.to.map(matchOperation));
  if (rule.from.length > 0) clauses.push(rule.from.map((from) => matchSource(from, namespace)));
  for (const condition of rule.when) clauses.push([matchCondition(condition, namespace)]);
  return {
    clauses: clauses.map((clause) => clause.map(({ match }) => match)),
    attributes: clauses.flatMap((clause) => clause.flatMap(({ unsupported }) => unsupported)),
  };
}

function scopeOf(source: AuthorizationPolicyFacts, settings: CompileSettings): Policy["scope"] {
  if (Object.keys(source.selector).length > 0) return "workloadSelector";
  return source.namespace === settings.rootNamespace ? "global" : "namespace";
}

function verdictOf(rules: readonly CompiledRule[], action: Policy["action"]): ZtunnelVerdict {
  const attributes = [...new Set(rules.flatMap((rule) => rule.attributes))].sort();
  if (attributes.length === 0) return { kind: "enforced" };
  if (action === "allow") return { kind: "partial", attributes, effect: "rulesOmitted" };
  const inert = rules.filter(isInert).length;
  if (inert === rules.length) return { kind: "partial", attributes, effect: "noEffect" };
  return { kind: "partial", attributes, effect: inert > 0 ? "someRulesInert" : "attributesIgnored" };
}

/** A clause of nothing but empty matches never holds at ztunnel, and with it the whole rule (reference: protocol §5.4). */
function isInert({ clauses }: CompiledRule): boolean {
  return clauses.some((clause) => clause.length > 0 && clause.every(isEmptyMatch));
}
