/** `istio.security.Authorization` ↔ {@link Policy} (reference: protocol §3.4, §5.4). */

import { create } from "@bufbuild/protobuf";
import {
  type Cidr,
  cidr,
  type Policy,
  type PolicyMatch,
  type ServiceAccountMatch,
  type StringMatch,
} from "@meltemi/model";
import { authorization as wire } from "@meltemi/wire";
import {
  boundedName,
  type EnumTable,
  enumFromWire,
  enumToWire,
  invalid,
  ipFromWire,
  portFromWire,
  requiredName,
} from "./fields.ts";

const SCOPES: EnumTable<Policy["scope"]> = ["global", "namespace", "workloadSelector"];
const ACTIONS: EnumTable<Policy["action"]> = ["allow", "deny"];

/** Throws INPUT_INVALID naming the field when the message is one that must be refused. */
export function policyFromWire(message: wire.Authorization): Policy {
  return {
    name: requiredName("name", message.name),
    namespace: boundedName("namespace", message.namespace),
    scope: enumFromWire("scope", SCOPES, message.scope),
    action: enumFromWire("action", ACTIONS, message.action),
    rules: message.rules.map((rule) => rule.clauses.map((clause) => clause.matches.map(matchFromWire))),
    dryRun: message.dryRun,
  };
}

function matchFromWire(match: wire.Match): PolicyMatch {
  return {
    namespaces: stringsFromWire(match.namespaces),
    notNamespaces: stringsFromWire(match.notNamespaces),
    principals: stringsFromWire(match.principals),
    notPrincipals: stringsFromWire(match.notPrincipals),
    sourceIps: match.sourceIps.map(cidrFromWire),
    notSourceIps: match.notSourceIps.map(cidrFromWire),
    destinationIps: match.destinationIps.map(cidrFromWire),
    notDestinationIps: match.notDestinationIps.map(cidrFromWire),
    destinationPorts: match.destinationPorts.map((port) => portFromWire("destination_port", port)),
    notDestinationPorts: match.notDestinationPorts.map((port) => portFromWire("destination_port", port)),
    serviceAccounts: match.serviceAccounts.map(accountFromWire),
    notServiceAccounts: match.notServiceAccounts.map(accountFromWire),
  };
}

/** An entry without a kind is dropped, as ztunnel does (reference: protocol §5.4). */
function stringsFromWire(matches: readonly wire.StringMatch[]): readonly StringMatch[] {
  return matches.flatMap(({ matchType }): StringMatch[] => {
    switch (matchType.case) {
      case "exact":
      case "prefix":
      case "suffix":
        return [{ kind: matchType.case, value: boundedName(matchType.case, matchType.value) }];
      case "presence":
        return [{ kind: "presence" }];
      default:
        return [];
    }
  });
}

function cidrFromWire({ address, length }: wire.Address): Cidr {
  ipFromWire("address", address);
  const network = cidr(address, length);
  if (network === undefined)
    throw invalid("address.length", length, `a prefix length up to ${address.length * 8}`);
  return network;
}

function accountFromWire(match: wire.ServiceAccountMatch): ServiceAccountMatch {
  return {
    namespace: boundedName("service_account.namespace", match.namespace),
    serviceAccount: boundedName("service_account", match.serviceAccount),
  };
}

export function policyToWire(policy: Policy): wire.Authorization {
  return create(wire.AuthorizationSchema, {
    name: policy.name,
    namespace: policy.namespace,
    scope: enumToWire(SCOPES, policy.scope),
    action: enumToWire(ACTIONS, policy.action),
    rules: policy.rules.map((clauses) =>
      create(wire.RuleSchema, {
        clauses: clauses.map((matches) => create(wire.ClauseSchema, { matches: matches.map(matchToWire) })),
      }),
    ),
    dryRun: policy.dryRun,
  });
}

function matchToWire(match: PolicyMatch): wire.Match {
  return create(wire.MatchSchema, {
    namespaces: match.namespaces.map(stringToWire),
    notNamespaces: match.notNamespaces.map(stringToWire),
    principals: match.principals.map(stringToWire),
    notPrincipals: match.notPrincipals.map(stringToWire),
    sourceIps: match.sourceIps.map(cidrToWire),
    notSourceIps: match.notSourceIps.map(cidrToWire),
    destinationIps: match.destinationIps.map(cidrToWire),
    notDestinationIps: match.notDestinationIps.map(cidrToWire),
    destinationPorts: [...match.destinationPorts],
    notDestinationPorts: [...match.notDestinationPorts],
    serviceAccounts: match.serviceAccounts.map(accountToWire),
    notServiceAccounts: match.notServiceAccounts.map(accountToWire),
  });
}

function stringToWire(match: StringMatch): wire.StringMatch {
  return create(wire.StringMatchSchema, {
    matchType:
      match.kind === "presence" ? { case: "presence", value: {} } : { case: match.kind, value: match.value },
  });
}

function cidrToWire(network: Cidr): wire.Address {
  return create(wire.AddressSchema, { address: network.bytes, length: network.prefixLength });
}

function accountToWire(match: ServiceAccountMatch): wire.ServiceAccountMatch {
  return create(wire.ServiceAccountMatchSchema, {
    namespace: match.namespace,
    serviceAccount: match.serviceAccount,
  });
}
