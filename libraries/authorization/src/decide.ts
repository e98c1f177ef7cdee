/** L4 authorization of one connection (reference: protocol §5.4). */

import { type ApplicablePolicies, type Policy, policyKey } from "@meltemi/model";
import { type ConnectionFacts, factsOf, type L4Connection, policyMatches } from "./match.ts";

/** What a dry-run policy would have done; for logs, it never changes the decision. */
export interface DryRunResult {
  /** `namespace/name`. */
  readonly policy: string;
  readonly action: "allow" | "deny";
  readonly matched: boolean;
}

export type AuthorizationDecision =
  | {
      readonly kind: "allow";
      /** The ALLOW policy that matched; absent when no ALLOW policy applies at all. */
      readonly by?: string;
      readonly dryRun: readonly DryRunResult[];
    }
  | {
      readonly kind: "deny";
      /** The DENY policy that matched; absent when ALLOW policies exist and none matched. */
      readonly by?: string;
      /** In Istio's words, for the access log. */
      readonly message: string;
      readonly dryRun: readonly DryRunResult[];
    }
  /**
   * The workload refers to policies that have not arrived, and what is known does not deny already. Whoever asks
   * waits a bounded time for them and then refuses: Istio lets such a connection pass.
   */
  | { readonly kind: "undetermined"; readonly missing: readonly string[] };

/** The order is Istio's: DENY dry runs, DENY, ALLOW dry runs, then ALLOW if there is any. */
export function decideAuthorization(
  applicable: ApplicablePolicies,
  connection: L4Connection,
): AuthorizationDecision {
  const facts = factsOf(connection);
  const dryRun = applicable.policies
    .filter((policy) => policy.dryRun)
    .map((policy) => dryRunResult(policy, facts));
  const enforced = applicable.policies.filter((policy) => !policy.dryRun);

  const denying = enforced.find((policy) => policy.action === "deny" && policyMatches(policy, facts));
  if (denying !== undefined) {
    const by = policyKey(denying);
    return { kind: "deny", by, message: `explicitly denied by: ${by}`, dryRun };
  }
  if (applicable.missing.length > 0) return { kind: "undetermined", missing: applicable.missing };

  const allowPolicies = enforced.filter((policy) => policy.action === "allow");
  if (allowPolicies.length === 0) return { kind: "allow", dryRun };
  const allowing = allowPolicies.find((policy) => policyMatches(policy, facts));
  if (allowing !== undefined) return { kind: "allow", by: policyKey(allowing), dryRun };
  return { kind: "deny", message: "allow policies exist, but none allowed", dryRun };
}

function dryRunResult(policy: Policy, facts: ConnectionFacts): DryRunResult {
  return { policy: policyKey(policy), action: policy.action, matched: policyMatches(policy, facts) };
}
