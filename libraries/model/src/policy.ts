/** L4 authorization policy as it reaches the data plane (reference: protocol §3.4, §5.4). */

import type { Cidr } from "./address.ts";

export type StringMatch =
  | { readonly kind: "exact"; readonly value: string }
  | { readonly kind: "prefix"; readonly value: string }
  | { readonly kind: "suffix"; readonly value: string }
  | { readonly kind: "presence" };

export interface ServiceAccountMatch {
  readonly namespace: string;
  readonly serviceAccount: string;
}

/** All kinds that are given must hold; within a kind any positive value may, and no `not` value may. */
export interface PolicyMatch {
  readonly namespaces: readonly StringMatch[];
  readonly notNamespaces: readonly StringMatch[];
  readonly principals: readonly StringMatch[];
  readonly notPrincipals: readonly StringMatch[];
  readonly sourceIps: readonly Cidr[];
  readonly notSourceIps: readonly Cidr[];
  readonly destinationIps: readonly Cidr[];
  readonly notDestinationIps: readonly Cidr[];
  readonly destinationPorts: readonly number[];
  readonly notDestinationPorts: readonly number[];
  readonly serviceAccounts: readonly ServiceAccountMatch[];
  readonly notServiceAccounts: readonly ServiceAccountMatch[];
}

/** Any of `rules`; in a rule all clauses; in a clause any match. */
export interface Policy {
  readonly name: string;
  readonly namespace: string;
  readonly scope: "global" | "namespace" | "workloadSelector";
  readonly action: "allow" | "deny";
  readonly rules: readonly (readonly (readonly PolicyMatch[])[])[];
  readonly dryRun: boolean;
}

/** Resource name of a policy on the wire and its key in the snapshot. */
export function policyKey(policy: { readonly namespace: string; readonly name: string }): string {
  return `${policy.namespace}/${policy.name}`;
}

export const EMPTY_MATCH: PolicyMatch = {
  namespaces: [],
  notNamespaces: [],
  principals: [],
  notPrincipals: [],
  sourceIps: [],
  notSourceIps: [],
  destinationIps: [],
  notDestinationIps: [],
  destinationPorts: [],
  notDestinationPorts: [],
  serviceAccounts: [],
  notServiceAccounts: [],
};
