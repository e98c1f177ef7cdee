/**
 * PeerAuthentication → DENY policies (reference: protocol §5.5, l7-and-cli §8.5). One function decides for a workload's policy
 * and for the reference to it, so that the two cannot disagree. DISABLE is PERMISSIVE: ztunnel cannot switch HBONE off.
 */

import { EMPTY_MATCH, type Policy, type PolicyMatch, policyKey } from "@meltemi/model";
import type { MutualTlsMode } from "@meltemi/resources";
import type { PeerAuthenticationFacts } from "./facts.ts";

/** The policy that every strict workload refers to; `_` keeps it apart from names of Kubernetes. */
const STATIC_STRICT_NAME = "istio_converted_static_strict";
const PORT_POLICY_PREFIX = "converted_peer_authentication_";

/** The peer shows no identity: the connection is plaintext. */
const NO_IDENTITY: PolicyMatch = { ...EMPTY_MATCH, notPrincipals: [{ kind: "presence" }] };

export function staticStrictPolicy(rootNamespace: string): Policy {
  return denyPolicy(rootNamespace, STATIC_STRICT_NAME, [[[NO_IDENTITY]]]);
}

/** Whether plaintext is refused where no workload-level policy says otherwise. Arguments: the oldest of each level. */
export function isStrictByDefault(
  mesh: PeerAuthenticationFacts | undefined,
  namespace: PeerAuthenticationFacts | undefined,
): boolean {
  return resolve(namespace?.mode, resolve(mesh?.mode, false));
}

/** UNSET inherits. */
function resolve(mode: MutualTlsMode | undefined, inherited: boolean): boolean {
  return mode === undefined || mode === "unset" ? inherited : mode === "strict";
}

/** The policy that a workload-level PeerAuthentication needs of its own, because some ports differ; else undefined. */
export function portLevelPolicy(
  source: PeerAuthenticationFacts,
  strictByDefault: boolean,
): Policy | undefined {
  const strict = resolve(source.mode, strictByDefault);
  const exceptions = source.portModes.filter(({ mode }) => resolve(mode, strict) !== strict);
  if (exceptions.length === 0) return undefined;
  const name = `${PORT_POLICY_PREFIX}${source.name}`;
  const ports = exceptions.map(({ port }) => port).sort((a, b) => a - b);
  if (!strict) {
    const rules = ports.map((port) => [[{ ...NO_IDENTITY, destinationPorts: [port] }]]);
    return denyPolicy(source.namespace, name, rules);
  }
  const elsewhere = ports.map((port) => [{ ...EMPTY_MATCH, notDestinationPorts: [port] }]);
  return denyPolicy(source.namespace, name, [[...elsewhere, [NO_IDENTITY]]]);
}

/** Keys that a workload refers to. `own`: the oldest workload-level PeerAuthentication that selects it. */
export function peerAuthenticationKeys(
  own: PeerAuthenticationFacts | undefined,
  strictByDefault: boolean,
  rootNamespace: string,
): readonly string[] {
  const ported = own && portLevelPolicy(own, strictByDefault);
  if (ported !== undefined) return [policyKey(ported)];
  if (!resolve(own?.mode, strictByDefault)) return [];
  return [policyKey({ namespace: rootNamespace, name: STATIC_STRICT_NAME })];
}

/** The oldest wins within a level; names settle what was made in the same second. */
export function oldest<T extends { readonly createdMs: number; readonly name: string }>(
  candidates: readonly T[],
): T | undefined {
  return candidates.reduce<T | undefined>((first, next) => {
    if (first === undefined || next.createdMs < first.createdMs) return next;
    return next.createdMs === first.createdMs && next.name < first.name ? next : first;
  }, undefined);
}

function denyPolicy(namespace: string, name: string, rules: Policy["rules"]): Policy {
  return { namespace, name, scope: "workloadSelector", action: "deny", rules, dryRun: false };
}
