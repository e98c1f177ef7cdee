/** All policies of one target, compiled once, and what they say of a request or a connection (reference: l7-and-cli §2.1, evaluation order). */

import type { RequestPolicy } from "@meltemi/model/l7";
import { compileRule, type Known } from "./compile-rule.ts";
import type { Test } from "./match-source.ts";
import {
  type PolicyConnection,
  PolicyFacts,
  type PolicyRequest,
  type PolicyWorld,
} from "./policy-request.ts";

export interface PolicyOptions extends PolicyWorld {
  /** `tcp`: connections whose bytes are not read. */
  readonly layer: "http" | "tcp";
  /** What of a policy cannot be met, and how that is resolved. */
  readonly onProblem: (problem: string) => void;
}

/** What policies on trial would have said; in the terms of Envoy's shadow rules. */
export interface TrialResult {
  readonly action: "allow" | "deny";
  readonly result: "allowed" | "denied";
  /** Of the rule that decided; undefined when none matched. */
  readonly rule: string | undefined;
}

interface CompiledRule {
  /** As Envoy names it: `ns[<namespace>]-policy[<name>]-rule[<index>]`. */
  readonly name: string;
  readonly matches: Test;
}

interface CustomRule extends CompiledRule {
  readonly provider: string;
}

/** No rule matched, and one would have had to. */
const NO_RULE = "none";

export class RequestPolicies {
  readonly #world: PolicyWorld;
  readonly #custom: CustomRule[] = [];
  readonly #deny: CompiledRule[] = [];
  readonly #audit: CompiledRule[] = [];
  /** Undefined: there is no ALLOW policy, which is not the same as one without rules. */
  #allow: CompiledRule[] | undefined;
  readonly #trialDeny: CompiledRule[] = [];
  #trialAllow: CompiledRule[] | undefined;

  constructor(policies: readonly RequestPolicy[], options: PolicyOptions) {
    this.#world = { trustDomains: options.trustDomains, trustedProxies: options.trustedProxies };
    for (const policy of policies) this.#add(policy, compileRules(policy, options));
  }

  /** Some CUSTOM policy is enforced. */
  get asksProviders(): boolean {
    return this.#custom.length > 0;
  }

  /** There is something to say beside what providers say. */
  get judges(): boolean {
    return this.#deny.length > 0 || this.#allow !== undefined || this.#audit.length > 0 || this.hasTrials;
  }

  get hasTrials(): boolean {
    return this.#trialDeny.length > 0 || this.#trialAllow !== undefined;
  }

  get audits(): boolean {
    return this.#audit.length > 0;
  }

  factsOf(connection: PolicyConnection, request: PolicyRequest | undefined): PolicyFacts {
    return new PolicyFacts(connection, request, this.#world);
  }

  /** The external authorizers that must agree, each with the first rule that asks for it. */
  providersFor(facts: PolicyFacts): ReadonlyMap<string, string> {
    const asked = new Map<string, string>();
    for (const rule of this.#custom)
      if (!asked.has(rule.provider) && rule.matches(facts)) asked.set(rule.provider, rule.name);
    return asked;
  }

  /** DENY, then ALLOW. Undefined: it may pass; else the rule that denied, or `none`. */
  denial(facts: PolicyFacts): string | undefined {
    const denying = firstMatch(this.#deny, facts);
    if (denying !== undefined) return denying;
    if (this.#allow === undefined) return undefined;
    return firstMatch(this.#allow, facts) === undefined ? NO_RULE : undefined;
  }

  /** An AUDIT policy asks for a record of it. */
  isAudited(facts: PolicyFacts): boolean {
    return firstMatch(this.#audit, facts) !== undefined;
  }

  trials(facts: PolicyFacts): readonly TrialResult[] {
    const results: TrialResult[] = [];
    if (this.#trialDeny.length > 0) {
      const rule = firstMatch(this.#trialDeny, facts);
      results.push({ action: "deny", result: rule === undefined ? "allowed" : "denied", rule });
    }
    if (this.#trialAllow !== undefined) {
      const rule = firstMatch(this.#trialAllow, facts);
      results.push({ action: "allow", result: rule === undefined ? "denied" : "allowed", rule });
    }
    return results;
  }

  #add({ action, dryRun }: RequestPolicy, rules: readonly CompiledRule[]): void {
    switch (action) {
      case "deny":
        (dryRun ? this.#trialDeny : this.#deny).push(...rules);
        return;
      case "audit":
        if (!dryRun) this.#audit.push(...rules);
        return;
      case "allow":
        if (dryRun) this.#trialAllow = [...(this.#trialAllow ?? []), ...rules];
        else this.#allow = [...(this.#allow ?? []), ...rules];
        return;
      default:
        // A provider that is asked on trial would be told of requests that nobody asked it to judge.
        if (!dryRun) this.#custom.push(...rules.map((rule) => ({ ...rule, provider: action.provider })));
    }
  }
}

function compileRules(policy: RequestPolicy, options: PolicyOptions): readonly CompiledRule[] {
  const compiled: CompiledRule[] = [];
  for (const [index, rule] of policy.rules.entries()) {
    const name = `ns[${policy.namespace}]-policy[${policy.name}]-rule[${index}]`;
    const matches = compileRule(rule, {
      policyNamespace: policy.namespace,
      known: knownFor(policy, options.layer),
      isAllow: policy.action === "allow",
      onProblem: (problem) => options.onProblem(`${name}: ${problem}`),
    });
    if (matches !== undefined) compiled.push({ name, matches });
  }
  return compiled;
}

/** Providers are asked before tokens are verified (reference: l7-and-cli §1.10 item 4): a rule on tokens asks them of every request. */
function knownFor({ action }: RequestPolicy, layer: PolicyOptions["layer"]): Known {
  if (layer === "tcp") return "connection";
  return typeof action === "string" ? "token" : "head";
}

function firstMatch(rules: readonly CompiledRule[], facts: PolicyFacts): string | undefined {
  for (const rule of rules) if (rule.matches(facts)) return rule.name;
  return undefined;
}
