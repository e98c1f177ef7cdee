/** One `from`, `to` or `when` entry of an AuthorizationPolicy as an L4 match (reference: protocol §5.5, l7-and-cli §2.1). */

import { type Cidr, EMPTY_MATCH, type PolicyMatch, parseCidr, type StringMatch } from "@meltemi/model";
import type { ConditionFacts, OperationFacts, SourceFacts, ValueLists } from "./facts.ts";

export interface PartialMatch {
  readonly match: PolicyMatch;
  /** Attributes of the entry that ztunnel cannot check, by their names in the API. Empty: the match says all the entry says. */
  readonly unsupported: readonly string[];
}

/** Values a match can hold, and the name of the attribute when it cannot. */
type Kinds = Partial<PolicyMatch>;

export function matchSource(source: SourceFacts, policyNamespace: string): PartialMatch {
  const parts = [
    strings("namespaces", source.namespaces, "namespaces", "notNamespaces"),
    strings("principals", source.principals, "principals", "notPrincipals"),
    addresses("ipBlocks", source.ipBlocks, "sourceIps", "notSourceIps"),
    serviceAccounts("serviceAccounts", source.serviceAccounts, policyNamespace),
    trustDomains("trustDomains", source.trustDomains, source.principals),
    nothing("requestPrincipals", source.requestPrincipals),
    nothing("remoteIpBlocks", source.remoteIpBlocks),
  ];
  return combine(parts);
}

export function matchOperation(operation: OperationFacts): PartialMatch {
  return combine([
    ports("ports", operation.ports),
    nothing("hosts", operation.hosts),
    nothing("methods", operation.methods),
    nothing("paths", operation.paths),
  ]);
}

export function matchCondition(condition: ConditionFacts, policyNamespace: string): PartialMatch {
  const { key } = condition;
  switch (key) {
    case "source.ip":
      return combine([addresses(key, condition, "sourceIps", "notSourceIps")]);
    case "source.namespace":
      return combine([strings(key, condition, "namespaces", "notNamespaces")]);
    case "source.principal":
      return combine([strings(key, condition, "principals", "notPrincipals")]);
    // Beyond Istio, which leaves these two to waypoints: ztunnel can check them, so it does.
    case "source.serviceAccount":
      return combine([serviceAccounts(key, condition, policyNamespace)]);
    case "source.trustDomain":
      return combine([trustDomains(key, condition, NO_VALUES)]);
    case "destination.ip":
      return combine([addresses(key, condition, "destinationIps", "notDestinationIps")]);
    case "destination.port":
      return combine([ports(key, condition)]);
    default:
      return combine([{ kinds: {}, unsupported: [key] }]);
  }
}

export function isEmptyMatch(match: PolicyMatch): boolean {
  return Object.values(match).every((values) => values.length === 0);
}

interface Part {
  readonly kinds: Kinds;
  readonly unsupported: readonly string[];
}

const NO_VALUES: ValueLists = { values: [], notValues: [] };

function combine(parts: readonly Part[]): PartialMatch {
  let match: PolicyMatch = EMPTY_MATCH;
  for (const { kinds } of parts) {
    match = {
      ...match,
      ...kinds,
      // Two attributes may become excluded principals (notPrincipals, notTrustDomains): none of either may match.
      notPrincipals: [...match.notPrincipals, ...(kinds.notPrincipals ?? [])],
      principals: [...match.principals, ...(kinds.principals ?? [])],
    };
  }
  return { match, unsupported: parts.flatMap(({ unsupported }) => unsupported) };
}

function strings<P extends "namespaces" | "principals", N extends "notNamespaces" | "notPrincipals">(
  _attribute: string,
  lists: ValueLists,
  positive: P,
  negative: N,
): Part {
  const kinds = { [positive]: lists.values.map(stringMatch), [negative]: lists.notValues.map(stringMatch) };
  return { kinds: kinds as Kinds, unsupported: [] };
}

/** `*` any, `*x` suffix, `x*` prefix, else exact; a `*` elsewhere is literal. */
export function stringMatch(text: string): StringMatch {
  if (text === "*") return { kind: "presence" };
  if (text.startsWith("*")) return { kind: "suffix", value: text.slice(1) };
  if (text.endsWith("*")) return { kind: "prefix", value: text.slice(0, -1) };
  return { kind: "exact", value: text };
}

function addresses(
  attribute: string,
  lists: ValueLists,
  positive: "sourceIps" | "destinationIps",
  negative: "notSourceIps" | "notDestinationIps",
): Part {
  const read = parseAll(lists, parseCidr);
  if (read === undefined) return { kinds: {}, unsupported: [attribute] };
  const kinds: Partial<Record<typeof positive | typeof negative, readonly Cidr[]>> = {
    [positive]: read.values,
    [negative]: read.notValues,
  };
  return { kinds, unsupported: [] };
}

function ports(attribute: string, lists: ValueLists): Part {
  const read = parseAll(lists, parsePort);
  if (read === undefined) return { kinds: {}, unsupported: [attribute] };
  return {
    kinds: { destinationPorts: read.values, notDestinationPorts: read.notValues },
    unsupported: [],
  };
}

function serviceAccounts(_attribute: string, lists: ValueLists, policyNamespace: string): Part {
  const account = (text: string): PolicyMatch["serviceAccounts"][number] => {
    const slash = text.indexOf("/");
    if (slash < 0) return { namespace: policyNamespace, serviceAccount: text };
    return { namespace: text.slice(0, slash), serviceAccount: text.slice(slash + 1) };
  };
  return {
    kinds: {
      serviceAccounts: lists.values.map(account),
      notServiceAccounts: lists.notValues.map(account),
    },
    unsupported: [],
  };
}

/**
 * A trust domain is how a principal begins. Istio drops the attribute for ztunnel; here it is enforced where a principal can
 * say it: not a suffix, and not beside positive principals, which would be OR-ed with it.
 */
function trustDomains(attribute: string, lists: ValueLists, principals: ValueLists): Part {
  const read = parseAll(lists, trustDomainMatch);
  const collides = lists.values.length > 0 && principals.values.length > 0;
  if (read === undefined || collides) return { kinds: {}, unsupported: [attribute] };
  return { kinds: { principals: read.values, notPrincipals: read.notValues }, unsupported: [] };
}

function trustDomainMatch(text: string): StringMatch | undefined {
  const match = stringMatch(text);
  if (match.kind === "suffix") return undefined;
  return match.kind === "exact" ? { kind: "prefix", value: `${match.value}/` } : match;
}

/** An attribute of HTTP. */
function nothing(attribute: string, lists: ValueLists): Part {
  const present = lists.values.length + lists.notValues.length > 0;
  return { kinds: {}, unsupported: present ? [attribute] : [] };
}

function parsePort(text: string): number | undefined {
  return /^\d{1,5}$/.test(text) && Number(text) <= 65_535 ? Number(text) : undefined;
}

/** Undefined when any value cannot be read: half an attribute would mean something else. */
function parseAll<T>(
  lists: ValueLists,
  parse: (text: string) => T | undefined,
): { readonly values: readonly T[]; readonly notValues: readonly T[] } | undefined {
  const values = lists.values.map(parse).filter((value) => value !== undefined);
  const notValues = lists.notValues.map(parse).filter((value) => value !== undefined);
  if (values.length < lists.values.length || notValues.length < lists.notValues.length) return undefined;
  return { values, notValues };
}
