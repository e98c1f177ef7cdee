/** One `from`, `to` or `when` entry of an AuthorizationPolicy as an L4 match (reference: protocol §5.5, l7-and-cli §2.1). */

import { type Cidr, EMPTY_MATCH, type PolicyMatch, parseCidr, type StringMatch } from "@meltemi/model";
import type { PolicyCondition, PolicyOperation, PolicySource } from "@meltemi/model/l7";

export interface PartialMatch {
  readonly match: PolicyMatch;
  /** Attributes of the entry that ztunnel cannot check, by their names in the API. Empty: the match says all the entry says. */
  readonly unsupported: readonly string[];
}

export function matchSource(source: PolicySource, policyNamespace: string): PartialMatch {
  const domains = trustDomains("trustDomains", source.trustDomains, source.notTrustDomains);
  // Positive principals would be OR-ed with the domain's prefix instead of AND-ed.
  const collides = source.trustDomains.length > 0 && source.principals.length > 0;
  return {
    match: {
      ...EMPTY_MATCH,
      namespaces: source.namespaces.map(stringMatch),
      notNamespaces: source.notNamespaces.map(stringMatch),
      principals: [...source.principals.map(stringMatch), ...(collides ? [] : domains.match.principals)],
      // None of either may match, which is what a list of exclusions says.
      notPrincipals: [...source.notPrincipals.map(stringMatch), ...domains.match.notPrincipals],
      sourceIps: source.ipBlocks.flatMap(toCidr),
      notSourceIps: source.notIpBlocks.flatMap(toCidr),
      serviceAccounts: source.serviceAccounts.map((text) => serviceAccount(text, policyNamespace)),
      notServiceAccounts: source.notServiceAccounts.map((text) => serviceAccount(text, policyNamespace)),
    },
    unsupported: [
      ...(collides ? ["trustDomains"] : domains.unsupported),
      ...given("requestPrincipals", source.requestPrincipals),
      ...given("notRequestPrincipals", source.notRequestPrincipals),
      ...given("remoteIpBlocks", source.remoteIpBlocks),
      ...given("notRemoteIpBlocks", source.notRemoteIpBlocks),
    ],
  };
}

export function matchOperation(operation: PolicyOperation): PartialMatch {
  return {
    match: {
      ...EMPTY_MATCH,
      destinationPorts: operation.ports,
      notDestinationPorts: operation.notPorts,
    },
    unsupported: [
      ...given("hosts", operation.hosts),
      ...given("notHosts", operation.notHosts),
      ...given("methods", operation.methods),
      ...given("notMethods", operation.notMethods),
      ...given("paths", operation.paths),
      ...given("notPaths", operation.notPaths),
    ],
  };
}

export function matchCondition(condition: PolicyCondition, policyNamespace: string): PartialMatch {
  const { key, values, notValues } = condition;
  const exactly = (match: Partial<PolicyMatch>): PartialMatch => ({
    match: { ...EMPTY_MATCH, ...match },
    unsupported: [],
  });
  switch (key) {
    case "source.ip":
      return exactly({ sourceIps: values.flatMap(toCidr), notSourceIps: notValues.flatMap(toCidr) });
    case "source.namespace":
      return exactly({ namespaces: values.map(stringMatch), notNamespaces: notValues.map(stringMatch) });
    case "source.principal":
      return exactly({ principals: values.map(stringMatch), notPrincipals: notValues.map(stringMatch) });
    case "destination.ip":
      return exactly({
        destinationIps: values.flatMap(toCidr),
        notDestinationIps: notValues.flatMap(toCidr),
      });
    case "destination.port":
      return exactly({
        destinationPorts: values.map(Number),
        notDestinationPorts: notValues.map(Number),
      });
    // Beyond Istio, which leaves these two to waypoints: ztunnel can check them, so it does.
    case "source.serviceAccount":
      return exactly({
        serviceAccounts: values.map((text) => serviceAccount(text, policyNamespace)),
        notServiceAccounts: notValues.map((text) => serviceAccount(text, policyNamespace)),
      });
    case "source.trustDomain":
      return trustDomains(key, values, notValues);
    default:
      return { match: EMPTY_MATCH, unsupported: [key] };
  }
}

export function isEmptyMatch(match: PolicyMatch): boolean {
  return Object.values(match).every((values) => values.length === 0);
}

/** `*` any, `*x` suffix, `x*` prefix, else exact; a `*` elsewhere is literal. */
export function stringMatch(text: string): StringMatch {
  if (text === "*") return { kind: "presence" };
  if (text.startsWith("*")) return { kind: "suffix", value: text.slice(1) };
  if (text.endsWith("*")) return { kind: "prefix", value: text.slice(0, -1) };
  return { kind: "exact", value: text };
}

/** The parser of the resource refused everything that is not an address or a block. */
function toCidr(text: string): Cidr[] {
  const network = parseCidr(text);
  return network === undefined ? [] : [network];
}

function serviceAccount(text: string, policyNamespace: string): PolicyMatch["serviceAccounts"][number] {
  const slash = text.indexOf("/");
  if (slash < 0) return { namespace: policyNamespace, serviceAccount: text };
  return { namespace: text.slice(0, slash), serviceAccount: text.slice(slash + 1) };
}

/**
 * A trust domain is how a principal begins. Istio drops the attribute for ztunnel; here it is enforced wherever a principal
 * can say it, which is everything but a suffix.
 */
function trustDomains(
  attribute: string,
  values: readonly string[],
  notValues: readonly string[],
): PartialMatch {
  const isSuffix = (text: string): boolean => stringMatch(text).kind === "suffix";
  if (values.some(isSuffix) || notValues.some(isSuffix))
    return { match: EMPTY_MATCH, unsupported: [attribute] };
  return {
    match: {
      ...EMPTY_MATCH,
      principals: values.map(trustDomainMatch),
      notPrincipals: notValues.map(trustDomainMatch),
    },
    unsupported: [],
  };
}

function trustDomainMatch(text: string): StringMatch {
  const match = stringMatch(text);
  return match.kind === "exact" ? { kind: "prefix", value: `${match.value}/` } : match;
}

function given(attribute: string, values: readonly string[]): readonly string[] {
  return values.length > 0 ? [attribute] : [];
}
