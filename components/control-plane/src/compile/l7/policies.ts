/** Policies that apply to a service and its waypoint by targetRefs → what the waypoint enforces (reference: l7-and-cli §2.1, §2.3). */

import type { JwtRule, PolicyRule, RateLimit, RequestPolicy } from "@meltemi/model/l7";
import type { LimitSpec, TokenRule } from "@meltemi/resources";
import type { AuthorizationPolicyFacts } from "../facts.ts";
import type { WaypointReference } from "../waypoint.ts";
import type { Compilation } from "../workload-parts.ts";
import type { Host } from "./destinations.ts";
import type { RateLimitPolicyFacts, RequestAuthenticationFacts } from "./facts.ts";
import { byAge, compareText, fullHost } from "./hosts.ts";
import { keySetKey } from "./target-keys.ts";

/** Index values under which policies for a waypoint, and for a service behind it, stand. */
export function targetKeys(
  waypoint: WaypointReference,
  host: Host | undefined,
  { outputs, read, settings }: Compilation,
): readonly string[] {
  const className = read.get(outputs.waypoints, `${waypoint.namespace}/${waypoint.name}`)?.className;
  return [
    ...(className ? [`GatewayClass/${settings.rootNamespace}/${className}`] : []),
    `Gateway/${waypoint.namespace}/${waypoint.name}`,
    ...(host ? [`${host.kind}/${host.namespace}/${host.name}`] : []),
  ];
}

/** All in one pool, in the order of their names: order decides nothing but what is told of a denial. */
export function requestPolicies(
  keys: readonly string[],
  { inputs, read, settings }: Compilation,
): readonly RequestPolicy[] {
  const authorizers = new Set(
    settings.traffic.providers.filter(({ kind }) => kind === "authorizer").map(({ name }) => name),
  );
  return unique(keys.flatMap((key) => read.by(inputs.authorizationPolicies, "target", key)))
    .toSorted((a, b) => compareText(`${a.namespace}/${a.name}`, `${b.namespace}/${b.name}`))
    .map((policy) => requestPolicy(policy, authorizers));
}

/** As Istio names what stands in for a policy whose authorizer is missing. */
const BAD_CUSTOM_SUFFIX = "-deny-due-to-bad-CUSTOM-action";

function requestPolicy(source: AuthorizationPolicyFacts, authorizers: ReadonlySet<string>): RequestPolicy {
  const { namespace, name, dryRun } = source;
  const rules = source.rules.map((rule) => qualifyAccounts(rule, namespace));
  if (source.action !== "CUSTOM") {
    const action = ({ ALLOW: "allow", DENY: "deny", AUDIT: "audit" } as const)[source.action];
    return { namespace, name, action, dryRun, rules };
  }
  const { provider } = source;
  if (provider !== undefined && authorizers.has(provider))
    return { namespace, name, action: { provider }, dryRun, rules };
  // Nobody to ask: what would have been asked about is denied.
  return { namespace, name: `${name}${BAD_CUSTOM_SUFFIX}`, action: "deny", dryRun: false, rules };
}

/** A service account without a namespace is one of the policy's. */
function qualifyAccounts(rule: PolicyRule, namespace: string): PolicyRule {
  const qualified = (accounts: readonly string[]): readonly string[] =>
    accounts.map((account) => (account.includes("/") ? account : `${namespace}/${account}`));
  return {
    ...rule,
    from: rule.from.map((source) => ({
      ...source,
      serviceAccounts: qualified(source.serviceAccounts),
      notServiceAccounts: qualified(source.notServiceAccounts),
    })),
  };
}

/** No token is signed by one of these: as good as Istio's key whose private half is thrown away, and the same in every replica. */
const NO_KEYS = '{"keys":[]}';

/** By issuer, as Istio orders them. */
export function jwtRules(keys: readonly string[], compilation: Compilation): readonly JwtRule[] {
  const { inputs, read } = compilation;
  return unique(keys.flatMap((key) => read.by(inputs.requestAuthentications, "target", key)))
    .toSorted(byAge)
    .flatMap(({ rules }: RequestAuthenticationFacts) => rules.map((rule) => jwtRule(rule, compilation)))
    .toSorted((a, b) => compareText(a.issuer, b.issuer));
}

function jwtRule(rule: TokenRule, { inputs, read }: Compilation): JwtRule {
  const { keys, timeoutMs: _fetching, ...fields } = rule;
  const fetched = keys.kind === "inline" ? undefined : read.get(inputs.keySets, keySetKey(keys));
  return {
    ...fields,
    ...(fields.outputPayloadToHeader && {
      outputPayloadToHeader: fields.outputPayloadToHeader.toLowerCase(),
    }),
    fromHeaders: fields.fromHeaders.map(({ name, prefix }) => ({ name: name.toLowerCase(), prefix })),
    outputClaimToHeaders: fields.outputClaimToHeaders.map(({ header, claim }) => ({
      header: header.toLowerCase(),
      claim,
    })),
    // Before the first answer as after a failed one: no token is good.
    jwks: keys.kind === "inline" ? keys.jwks : (fetched?.jwks ?? NO_KEYS),
  };
}

export function rateLimits(
  keys: readonly string[],
  { inputs, read, settings }: Compilation,
): readonly RateLimit[] {
  return unique(keys.flatMap((key) => read.by(inputs.rateLimitPolicies, "target", key)))
    .toSorted(byAge)
    .flatMap((policy) => policy.limits.map((limit) => rateLimit(limit, policy, settings.clusterDomain)));
}

function rateLimit(
  { operations, keys, limit }: LimitSpec,
  { namespace, name }: RateLimitPolicyFacts,
  clusterDomain: string,
): RateLimit {
  return {
    namespace,
    name,
    operations: operations.map((operation) => ({
      ...operation,
      notHosts: [],
      notPorts: [],
      notMethods: [],
      notPaths: [],
    })),
    keys: keys.map((key) => ({ ...key })),
    limit: limit.kind === "local" ? limit : globalLimit(limit, namespace, clusterDomain),
  };
}

type GlobalSpec = Extract<LimitSpec["limit"], { readonly kind: "global" }>;

function globalLimit(spec: GlobalSpec, namespace: string, clusterDomain: string): RateLimit["limit"] {
  const { domain, timeoutMs, failOpen } = spec;
  return {
    kind: "global",
    domain,
    cluster: serviceClusterName(fullHost(spec.host, namespace, clusterDomain), spec.port),
    timeoutMs,
    failOpen,
  };
}

/** Name of the cluster of a service that waypoints themselves call. */
export function serviceClusterName(host: string, port: number): string {
  return `outbound|${port}||${host}`;
}

function unique<T>(values: readonly T[]): readonly T[] {
  return [...new Set(values)];
}
