/**
 * What is enforced for a policy that cannot be read as it is (docs/decisions/0008-unreadable-policies.md): the form that it had
 * before, or else something that allows no more than any reading of it would. Pure.
 */

import type { PolicyRule } from "@meltemi/model/l7";
import { parseAuthorizationPolicy, parsePeerAuthentication } from "@meltemi/resources";
import type { AuthorizationPolicyFacts, PeerAuthenticationFacts } from "../compile/facts.ts";
import { authorizationPolicyFacts, peerAuthenticationFacts } from "./policies.ts";

/** Matches every connection. */
const ANYTHING: PolicyRule = { from: [], to: [], when: [] };
/** What may be read rule by rule; a longer list is unreadable as a whole. Istio's own bound. */
const MAX_RULES = 512;

type Fields = Readonly<Record<string, unknown>>;

/** An object as the API server has it: its metadata is sound whatever the rest is. */
interface StoredObject {
  readonly metadata?: { readonly generation?: number };
}

export function authorizationPolicyStandIn(
  object: StoredObject,
  previous: AuthorizationPolicyFacts | undefined,
  problems: string,
): AuthorizationPolicyFacts | undefined {
  const generation = object.metadata?.generation ?? 0;
  const kept = lastGood(previous);
  if (kept !== undefined)
    return { ...kept.facts, generation, fault: { problems, lastGoodGeneration: kept.generation } };
  const spec = fieldsOf((object as Fields)["spec"]);
  const base = baseOf(object, spec);
  if (base === undefined) return undefined;
  const action = spec["action"] ?? "ALLOW";
  const isAllow = action === "ALLOW";
  if (action === "AUDIT") return { ...base, action, rules: [], fault: { problems } };
  // Without a provider, a waypoint denies what it would ask about; ztunnel takes no part in CUSTOM.
  if (action === "CUSTOM") return { ...base, action, rules: [ANYTHING], fault: { problems } };
  const rules = isAllow || action === "DENY" ? readableRules(object, spec["rules"]) : undefined;
  const unread = rules === undefined || rules.includes(undefined);
  // A rule left out allows less under ALLOW; under DENY only one that matches everything is sure to deny enough.
  return {
    ...base,
    action: isAllow ? "ALLOW" : "DENY",
    rules: unread && !isAllow ? [ANYTHING] : (rules ?? []).filter((rule) => rule !== undefined),
    fault: { problems },
  };
}

/** Never less than mutual TLS: plaintext is what a PeerAuthentication is there to refuse. */
export function peerAuthenticationStandIn(
  object: StoredObject,
  previous: PeerAuthenticationFacts | undefined,
): PeerAuthenticationFacts | undefined {
  if (previous !== undefined) return previous;
  const selector = fieldsOf((object as Fields)["spec"])["selector"];
  const strict = (spec: Fields): PeerAuthenticationFacts | undefined => {
    const parsed = parsePeerAuthentication({ ...object, spec: { ...spec, mtls: { mode: "STRICT" } } });
    return parsed.kind === "ok" ? peerAuthenticationFacts(parsed.value) : undefined;
  };
  return strict(selector === undefined ? {} : { selector }) ?? strict({});
}

function lastGood(
  previous: AuthorizationPolicyFacts | undefined,
): { readonly facts: AuthorizationPolicyFacts; readonly generation: number } | undefined {
  if (previous === undefined) return undefined;
  if (previous.fault === undefined) return { facts: previous, generation: previous.generation };
  const { lastGoodGeneration } = previous.fault;
  return lastGoodGeneration === undefined ? undefined : { facts: previous, generation: lastGoodGeneration };
}

/** Name, target and annotations; a target that cannot be read is everything that the object could reach. */
function baseOf(object: StoredObject, spec: Fields): AuthorizationPolicyFacts | undefined {
  const { selector, targetRef, targetRefs } = spec;
  const given = Object.entries({ selector, targetRef, targetRefs }).filter(
    ([, value]) => value !== undefined,
  );
  return factsOf({ ...object, spec: Object.fromEntries(given) }) ?? factsOf({ ...object, spec: {} });
}

/** Undefined in place of each rule that cannot be read; undefined for a list that cannot. */
function readableRules(
  object: StoredObject,
  rules: unknown,
): readonly (PolicyRule | undefined)[] | undefined {
  if (rules === undefined) return [];
  if (!Array.isArray(rules) || rules.length > MAX_RULES) return undefined;
  return (rules as readonly unknown[]).map(
    (rule) => factsOf({ ...object, spec: { rules: [rule] } })?.rules[0],
  );
}

function factsOf(object: unknown): AuthorizationPolicyFacts | undefined {
  const parsed = parseAuthorizationPolicy(object);
  return parsed.kind === "ok" ? authorizationPolicyFacts(parsed.value) : undefined;
}

function fieldsOf(value: unknown): Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Fields) : {};
}
