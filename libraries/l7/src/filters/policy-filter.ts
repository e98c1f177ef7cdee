/** Enforces AUDIT, DENY and ALLOW policies on requests, and notes what policies on trial would have done (reference: l7-and-cli §2.1). */

import type { RequestPolicies, TrialResult } from "@meltemi/authorization";
import { CONTINUE, type FilterVerdict, type RequestContext, type RequestFilter } from "../request-context.ts";
import { policyFacts } from "./policy-facts.ts";

export class PolicyFilter implements RequestFilter {
  readonly name = "rbac";
  readonly #policies: RequestPolicies;

  constructor(policies: RequestPolicies) {
    this.#policies = policies;
  }

  onRequest(context: RequestContext): FilterVerdict {
    const policies = this.#policies;
    const facts = policyFacts(policies, context);
    if (policies.audits && policies.isAudited(facts))
      context.metadata.set("envoy.common", { access_log_hint: true });
    if (policies.hasTrials)
      context.metadata.set("envoy.filters.http.rbac", trialMetadata(policies.trials(facts)));
    const denial = policies.denial(facts);
    return denial === undefined ? CONTINUE : denied(denial);
  }

  rejudge(context: RequestContext): string | undefined {
    const denial = this.#policies.denial(policyFacts(this.#policies, context));
    return denial === undefined ? undefined : denialDetails(denial);
  }
}

export function denied(rule: string): FilterVerdict {
  return {
    kind: "reply",
    reply: {
      status: 403,
      body: "RBAC: access denied",
      headers: [],
      flag: "",
      details: denialDetails(rule),
    },
  };
}

export function denialDetails(rule: string): string {
  return `rbac_access_denied_matched_policy[${rule}]`;
}

/** Under the keys that Istio gives its shadow rules. */
function trialMetadata(trials: readonly TrialResult[]): Readonly<Record<string, unknown>> {
  const entries: [string, string][] = [];
  for (const { action, result, rule } of trials) {
    entries.push([`istio_dry_run_${action}_shadow_engine_result`, result]);
    if (rule !== undefined) entries.push([`istio_dry_run_${action}_shadow_effective_policy_id`, rule]);
  }
  return Object.fromEntries(entries);
}
