/** AuthorizationPolicy and PeerAuthentication → facts. */

import type { AuthorizationPolicy, PeerAuthentication } from "@meltemi/resources";
import type { AuthorizationPolicyFacts, PeerAuthenticationFacts } from "../compile/facts.ts";

const ACTIONS = { allow: "ALLOW", deny: "DENY", audit: "AUDIT", custom: "CUSTOM" } as const;

export function authorizationPolicyFacts(policy: AuthorizationPolicy): AuthorizationPolicyFacts {
  const { metadata, target, action, dryRun, rules } = policy;
  return {
    namespace: metadata.namespace,
    name: metadata.name,
    generation: metadata.generation,
    selector: target.kind === "selector" ? Object.fromEntries(target.labels) : {},
    targetRefs: target.kind === "references" ? target.references : [],
    action: ACTIONS[action.kind],
    dryRun,
    rules,
  };
}

export function peerAuthenticationFacts(policy: PeerAuthentication): PeerAuthenticationFacts {
  const { metadata, selector, mode, portModes } = policy;
  const createdMs = Date.parse(metadata.createdAt);
  return {
    namespace: metadata.namespace,
    name: metadata.name,
    createdMs: Number.isNaN(createdMs) ? 0 : createdMs,
    selector: Object.fromEntries(selector ?? []),
    mode,
    portModes: [...portModes].map(([port, portMode]) => ({ port, mode: portMode })),
  };
}
