/** Policies and requests for tests: sane defaults, a test says only what it is about. */

import { type Identity, ip } from "@meltemi/model";
import type { PolicyCondition, PolicyOperation, PolicySource, RequestPolicy } from "@meltemi/model/l7";
import type { PolicyConnection, PolicyFacts, PolicyRequest, PolicyToken } from "./policy-request.ts";
import { type PolicyOptions, RequestPolicies } from "./request-policies.ts";

const SOURCE: PolicySource = {
  principals: [],
  notPrincipals: [],
  requestPrincipals: [],
  notRequestPrincipals: [],
  namespaces: [],
  notNamespaces: [],
  serviceAccounts: [],
  notServiceAccounts: [],
  ipBlocks: [],
  notIpBlocks: [],
  remoteIpBlocks: [],
  notRemoteIpBlocks: [],
  trustDomains: [],
  notTrustDomains: [],
};

const OPERATION: PolicyOperation = {
  hosts: [],
  notHosts: [],
  ports: [],
  notPorts: [],
  methods: [],
  notMethods: [],
  paths: [],
  notPaths: [],
};

export interface SampleRule {
  readonly from?: readonly Partial<PolicySource>[];
  readonly to?: readonly Partial<PolicyOperation>[];
  readonly when?: readonly (Partial<PolicyCondition> & Pick<PolicyCondition, "key">)[];
}

/** `rules` absent: a policy without rules. */
export function samplePolicy(
  action: RequestPolicy["action"],
  rules: readonly SampleRule[] = [],
  fields: Partial<RequestPolicy> = {},
): RequestPolicy {
  return {
    namespace: "ns",
    name: "p",
    action,
    dryRun: false,
    rules: rules.map(({ from = [], to = [], when = [] }) => ({
      from: from.map((source) => ({ ...SOURCE, ...source })),
      to: to.map((operation) => ({ ...OPERATION, ...operation })),
      when: when.map((condition) => ({ values: [], notValues: [], ...condition })),
    })),
    ...fields,
  };
}

export const SLEEP: Identity = {
  trustDomain: "cluster.local",
  namespace: "default",
  serviceAccount: "sleep",
};

/** GET of `/info` by {@link SLEEP}, with a token of `https://issuer` for `sub-1`. */
export interface SampleRequest extends Partial<PolicyConnection>, Partial<Omit<PolicyRequest, "headers">> {
  readonly headers?: Readonly<Record<string, string>>;
}

export const TOKEN: PolicyToken = {
  issuer: "https://issuer",
  subject: "sub-1",
  audiences: ["a", "b"],
  claims: { iss: "https://issuer", sub: "sub-1", aud: ["a", "b"] },
  spaceDelimitedClaims: ["scope"],
};

export function sampleConnection(given: SampleRequest): PolicyConnection {
  return {
    identity: SLEEP,
    sourceIp: ip("10.0.0.1"),
    destination: { ip: ip("10.96.0.1"), port: 80 },
    serverName: undefined,
    ...given,
  };
}

export function sampleRequest(given: SampleRequest): PolicyRequest {
  const headers = new Map(Object.entries(given.headers ?? {}));
  return {
    method: "GET",
    authority: "echo",
    path: "/info",
    token: undefined,
    metadata: new Map(),
    ...given,
    headers: { joined: (name) => headers.get(name) },
  };
}

/** {@link SLEEP}'s mesh was called `old.example` once. */
export function compilePolicies(
  policies: readonly RequestPolicy[],
  options: Partial<PolicyOptions> = {},
): RequestPolicies {
  return new RequestPolicies(policies, {
    trustDomains: ["cluster.local", "old.example"],
    trustedProxies: 0,
    layer: "http",
    onProblem: () => undefined,
    ...options,
  });
}

export function sampleFacts(policies: RequestPolicies, request: SampleRequest): PolicyFacts {
  return policies.factsOf(sampleConnection(request), sampleRequest(request));
}

export function ruleMatches(
  rule: SampleRule,
  request: SampleRequest,
  options: Partial<PolicyOptions> = {},
): boolean {
  const policies = compilePolicies([samplePolicy("deny", [rule])], options);
  return policies.denial(sampleFacts(policies, request)) !== undefined;
}

/** Requests that a rule matches, and others that it does not. */
export interface RuleCase {
  readonly name: string;
  readonly rule: SampleRule;
  readonly yes: readonly SampleRequest[];
  readonly no: readonly SampleRequest[];
}

export const ANONYMOUS: SampleRequest = { identity: undefined };

export const inNamespace = (namespace: string): SampleRequest => ({ identity: { ...SLEEP, namespace } });
export const ofDomain = (trustDomain: string): SampleRequest => ({ identity: { ...SLEEP, trustDomain } });
export const when = (key: string, ...values: string[]): SampleRule => ({ when: [{ key, values }] });
