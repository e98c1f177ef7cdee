/** What the L4 policies of a workload say of one connection, one by one and together: `decideAuthorization`, which ztunnel asks. Pure. */

import { decideAuthorization, type L4Connection } from "@meltemi/authorization";
import { type MeshSnapshot, type Policy, policiesOf, policyKey, type Workload } from "@meltemi/model";
import type { JudgedPolicy, Verdict } from "./explanation.ts";

export interface Judgement {
  readonly policies: readonly JudgedPolicy[];
  readonly verdict: Verdict;
}

export function judgeConnection(
  snapshot: MeshSnapshot,
  workload: Workload,
  connection: L4Connection,
): Judgement {
  const applicable = policiesOf(snapshot, workload);
  const judged = (action: Policy["action"]): readonly JudgedPolicy[] =>
    applicable.policies
      .filter((policy) => policy.action === action)
      .map((policy) => ({
        action: policy.action.toUpperCase(),
        policy: policyKey(policy),
        matches: matches(policy, connection),
        dryRun: policy.dryRun,
      }));
  const missing = applicable.missing.map(
    (policy): JudgedPolicy => ({
      action: "?",
      policy,
      matches: undefined,
      dryRun: false,
      note: "the workload refers to it, and it is not there",
    }),
  );
  const decision = decideAuthorization(applicable, connection);
  return { policies: [...judged("deny"), ...missing, ...judged("allow")], verdict: verdictOf(decision) };
}

/** Asked alone, without its trial: a DENY policy that matches denies, an ALLOW policy that matches allows by name. */
function matches(policy: Policy, connection: L4Connection): boolean {
  const alone = { policies: [{ ...policy, dryRun: false }], missing: [] };
  const decision = decideAuthorization(alone, connection);
  return decision.kind !== "undetermined" && decision.by !== undefined;
}

function verdictOf(decision: ReturnType<typeof decideAuthorization>): Verdict {
  switch (decision.kind) {
    case "allow":
      return {
        kind: "allowed",
        reason: decision.by === undefined ? "no ALLOW policy applies here" : `allowed by ${decision.by}`,
      };
    case "deny":
      return { kind: "denied", reason: decision.message };
    case "undetermined":
      return {
        kind: "denied",
        reason: `policies referenced and not received: ${decision.missing.join(", ")}`,
      };
  }
}
