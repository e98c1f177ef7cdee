/** Whether one L4 policy matches one connection (reference: protocol §5.4). Nothing here allows or refuses. */

import {
  type Cidr,
  cidrContainsBytes,
  formatIdentity,
  type Identity,
  type Ip,
  ipBytes,
  type Policy,
  type PolicyMatch,
  type ServiceAccountMatch,
  type SocketAddress,
  type StringMatch,
} from "@meltemi/model";

/** What policy may know of a connection. The source address is the peer's own, never one that it claims. */
export interface L4Connection {
  readonly sourceIp: Ip;
  /** Proved by mutual TLS; absent on plaintext. */
  readonly identity?: Identity | undefined;
  /** The application's address and port, after the service was resolved. */
  readonly destination: SocketAddress;
}

/** A connection as the predicates read it: parsed once, matched against many policies. */
export interface ConnectionFacts {
  readonly sourceBytes: Uint8Array;
  readonly destinationBytes: Uint8Array;
  readonly destinationPort: number;
  readonly identity: Identity | undefined;
  /** SPIFFE id without its scheme, which is what policies name. */
  readonly principal: string | undefined;
}

export function factsOf(connection: L4Connection): ConnectionFacts {
  const { identity } = connection;
  return {
    sourceBytes: ipBytes(connection.sourceIp),
    destinationBytes: ipBytes(connection.destination.ip),
    destinationPort: connection.destination.port,
    identity,
    principal: identity === undefined ? undefined : formatIdentity(identity).slice("spiffe://".length),
  };
}

/**
 * Any rule; in a rule every clause; in a clause any match. A policy without rules matches nothing, a rule without
 * clauses everything, a clause without matches everything, and a match without conditions nothing.
 */
export function policyMatches(policy: Policy, facts: ConnectionFacts): boolean {
  return policy.rules.some((clauses) =>
    clauses.every((matches) => matches.length === 0 || matches.some((match) => matchHolds(match, facts))),
  );
}

/** All kinds of condition must hold; a kind that names nothing holds. */
function matchHolds(match: PolicyMatch, facts: ConnectionFacts): boolean {
  if (isEmpty(match)) return false;
  const { principal, identity } = facts;
  // Without an identity the namespace is "", so that a `presence` or an exact name does not hold, but a `not` does.
  const namespace = identity?.namespace ?? "";
  const ofPrincipal = (wanted: StringMatch): boolean =>
    principal !== undefined && stringMatches(wanted, principal);
  const ofNamespace = (wanted: StringMatch): boolean => stringMatches(wanted, namespace);
  const ofAccount = (wanted: ServiceAccountMatch): boolean =>
    identity?.namespace === wanted.namespace && identity.serviceAccount === wanted.serviceAccount;
  const ofSource = (network: Cidr): boolean => cidrContainsBytes(network, facts.sourceBytes);
  const ofDestination = (network: Cidr): boolean => cidrContainsBytes(network, facts.destinationBytes);
  const ofPort = (port: number): boolean => port === facts.destinationPort;
  return (
    holds(match.principals, match.notPrincipals, ofPrincipal) &&
    holds(match.namespaces, match.notNamespaces, ofNamespace) &&
    holds(match.serviceAccounts, match.notServiceAccounts, ofAccount) &&
    holds(match.sourceIps, match.notSourceIps, ofSource) &&
    holds(match.destinationIps, match.notDestinationIps, ofDestination) &&
    holds(match.destinationPorts, match.notDestinationPorts, ofPort)
  );
}

/** One kind of condition: any of the wanted values if there are such, and none of the unwanted. */
function holds<T>(wanted: readonly T[], unwanted: readonly T[], is: (value: T) => boolean): boolean {
  return (wanted.length === 0 || wanted.some(is)) && !unwanted.some(is);
}

function isEmpty(match: PolicyMatch): boolean {
  return Object.values(match).every((conditions: readonly unknown[]) => conditions.length === 0);
}

function stringMatches(wanted: StringMatch, value: string): boolean {
  switch (wanted.kind) {
    case "exact":
      return value === wanted.value;
    case "prefix":
      return value.startsWith(wanted.value);
    case "suffix":
      return value.endsWith(wanted.value);
    case "presence":
      return value !== "";
  }
}
