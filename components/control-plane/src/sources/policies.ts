/** Policies → facts. */

import type {
  AuthorizationPolicy,
  Metadata,
  PeerAuthentication,
  PolicyTarget,
  RateLimitPolicy,
  RequestAuthentication,
  Telemetry,
} from "@meltemi/resources";
import type { AuthorizationPolicyFacts, PeerAuthenticationFacts } from "../compile/facts.ts";
import type {
  RateLimitPolicyFacts,
  RequestAuthenticationFacts,
  TelemetryFacts,
} from "../compile/l7/facts.ts";

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
    ...(action.kind === "custom" && { provider: action.provider }),
    dryRun,
    rules,
  };
}

export function peerAuthenticationFacts(policy: PeerAuthentication): PeerAuthenticationFacts {
  const { metadata, selector, mode, portModes } = policy;
  return {
    ...identityFacts(metadata),
    selector: Object.fromEntries(selector ?? []),
    mode,
    portModes: [...portModes].map(([port, portMode]) => ({ port, mode: portMode })),
  };
}

export function requestAuthenticationFacts({
  metadata,
  target,
  rules,
}: RequestAuthentication): RequestAuthenticationFacts {
  return { ...generationFacts(metadata), targetRefs: referencesOf(target), rules };
}

export function telemetryFacts({ metadata, target, spec }: Telemetry): TelemetryFacts {
  const hasSelector = target.kind === "selector";
  return { ...generationFacts(metadata), targetRefs: referencesOf(target), hasSelector, spec };
}

export function rateLimitPolicyFacts({
  metadata,
  targetRefs,
  limits,
}: RateLimitPolicy): RateLimitPolicyFacts {
  return { ...generationFacts(metadata), targetRefs, limits };
}

function referencesOf(target: PolicyTarget): TelemetryFacts["targetRefs"] {
  return target.kind === "references" ? target.references : [];
}

/** Identity of an object whose status says which form it speaks of. */
export function generationFacts(
  metadata: Metadata,
): ReturnType<typeof identityFacts> & { readonly generation: number } {
  return { ...identityFacts(metadata), generation: metadata.generation };
}

/** `createdMs`: zero for an object that was never stored. */
function identityFacts({ namespace, name, createdAt }: Metadata): {
  readonly namespace: string;
  readonly name: string;
  readonly createdMs: number;
} {
  const createdMs = Date.parse(createdAt);
  return { namespace, name, createdMs: Number.isNaN(createdMs) ? 0 : createdMs };
}
