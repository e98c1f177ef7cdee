/** Authorization of one connection, with the bounded wait for policies that are named and have not arrived. */

import { type AuthorizationDecision, decideAuthorization, type L4Connection } from "@meltemi/authorization";
import { formatIdentity, formatSocketAddress, type MeshSnapshot, policiesOf } from "@meltemi/model";
import type { MeshStore } from "@meltemi/proxy-process";
import type { Logger, LogLevel } from "@meltemi/runtime";

/**
 * A referenced policy usually arrives in the same second as its workload; one that is missing for longer has been
 * deleted or was never there, and then nobody knows what it would have forbidden. Istio lets such connections pass.
 */
export const MISSING_POLICY_WAIT_MS = 5000;

type Verdict = { readonly kind: "allow" } | { readonly kind: "deny"; readonly message: string };

export interface Authorizer {
  /** Waits at most {@link MISSING_POLICY_WAIT_MS} for missing policies, then refuses. */
  authorize(workloadUid: string, connection: L4Connection, signal: AbortSignal): Promise<Verdict>;
}

export interface AuthorizerDeps {
  readonly mesh: MeshStore;
  readonly logger: Logger;
  /** Where matches and dry runs are told: DEBUG, or INFO by `AUTHZ_POLICY_INFO_LOGGING`. */
  readonly logLevel: Extract<LogLevel, "debug" | "info">;
}

export function createAuthorizer(deps: AuthorizerDeps): Authorizer {
  const log = deps.logger.scope("rbac");
  const report = (connection: L4Connection, decision: AuthorizationDecision): void => {
    if (decision.kind === "undetermined" || !log.enabled(deps.logLevel)) return;
    const facts = {
      source: connection.sourceIp,
      principal: connection.identity && formatIdentity(connection.identity),
      destination: formatSocketAddress(connection.destination),
    };
    for (const { policy, action, matched } of decision.dryRun) {
      if (matched) log[deps.logLevel]("dry-run policy matched", { policy, action, ...facts });
    }
    if (decision.by !== undefined)
      log[deps.logLevel](`${decision.kind} policy match`, { policy: decision.by, ...facts });
  };

  /** The decision by this snapshot, without waiting. */
  const judge = (
    snapshot: MeshSnapshot,
    workloadUid: string,
    connection: L4Connection,
  ): AuthorizationDecision => {
    const workload = snapshot.workloads.get(workloadUid);
    // A workload that has left the mesh has no policy that could be asked: nothing more is let in for it.
    if (workload === undefined)
      return { kind: "deny", message: `workload ${workloadUid} is no longer known`, dryRun: [] };
    return decideAuthorization(policiesOf(snapshot, workload), connection);
  };

  return {
    async authorize(workloadUid, connection, signal) {
      let decision = judge(deps.mesh.current, workloadUid, connection);
      if (decision.kind === "undetermined") {
        log.warn("policies referenced and not received yet", { missing: decision.missing.join(",") });
        decision =
          (await deps.mesh.waitFor(
            (snapshot) => decided(judge(snapshot, workloadUid, connection)),
            MISSING_POLICY_WAIT_MS,
            signal,
          )) ?? decision;
      }
      report(connection, decision);
      if (decision.kind === "allow") return { kind: "allow" };
      return { kind: "deny", message: denialText(decision) };
    },
  };
}

function decided(decision: AuthorizationDecision): AuthorizationDecision | undefined {
  return decision.kind === "undetermined" ? undefined : decision;
}

function denialText(decision: Exclude<AuthorizationDecision, { kind: "allow" }>): string {
  return decision.kind === "deny"
    ? decision.message
    : `policies referenced and not received: ${decision.missing.join(", ")}`;
}
