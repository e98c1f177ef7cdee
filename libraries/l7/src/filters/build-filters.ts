/** The filters of one service, or of a waypoint itself, in Istio's order (reference: l7-and-cli §1.10 item 4). */

import { compileOperations, RequestPolicies } from "@meltemi/authorization";
import type { JwtRule, RateLimit, RequestPolicy, WaypointSettings } from "@meltemi/model/l7";
import { TokenFilter } from "../authentication/token-filter.ts";
import { AuthorizationFilter } from "../external-authorization/authorization-filter.ts";
import { RateLimitFilter } from "../rate-limit/rate-limit-filter.ts";
import type { RequestFilter } from "../request-context.ts";
import type { UpstreamCluster } from "../upstream/upstream-cluster.ts";
import type { FilterMemory } from "./filter-memory.ts";
import { policyFacts } from "./policy-facts.ts";
import { PolicyFilter } from "./policy-filter.ts";
import { policyOptions } from "./policy-options.ts";

export interface FilterInput {
  /** What local rate limits count for: `namespace/hostname` of the service, empty for the waypoint itself. */
  readonly scope: string;
  readonly jwtRules: readonly JwtRule[];
  readonly policies: readonly RequestPolicy[];
  readonly rateLimits: readonly RateLimit[];
  readonly settings: Pick<WaypointSettings, "trustDomain" | "trustDomainAliases" | "authorizers">;
  /** Those of the waypoint's settings; undefined for a name that is not there. */
  readonly cluster: (name: string) => UpstreamCluster | undefined;
}

export interface FilterDeps {
  /** One for the process: what outlives a change of the configuration. */
  readonly memory: FilterMemory;
  /** Part of the configuration cannot be met, and how that is resolved; for the log. */
  readonly onProblem: (problem: string) => void;
}

/** External authorization, tokens, policies, rate limits. What is not configured costs nothing: it is not there. */
export function buildFilters(input: FilterInput, deps: FilterDeps): readonly RequestFilter[] {
  const filters: RequestFilter[] = [];
  const policies = new RequestPolicies(input.policies, policyOptions("http", input, deps));
  const { clock, meter } = deps.memory;
  const { cluster } = input;
  if (policies.asksProviders)
    filters.push(new AuthorizationFilter(policies, input.settings.authorizers, { clock, cluster, meter }));
  if (input.jwtRules.length > 0) filters.push(buildTokenFilter(input.jwtRules, deps));
  if (policies.judges) filters.push(new PolicyFilter(policies));
  if (input.rateLimits.length > 0) filters.push(buildRateLimitFilter(input, policies, deps));
  return filters;
}

function buildTokenFilter(rules: readonly JwtRule[], { memory, onProblem }: FilterDeps): RequestFilter {
  return new TokenFilter(rules, {
    nowMs: () => memory.clock.nowMs(),
    verifierOf(rule) {
      const verifier = memory.verifierOf(rule);
      if (verifier.problem !== undefined)
        onProblem(`keys of issuer ${rule.issuer}: ${verifier.problem}; every token of it is refused`);
      return verifier;
    },
  });
}

function buildRateLimitFilter(
  { rateLimits, scope, cluster }: FilterInput,
  policies: RequestPolicies,
  { memory, onProblem }: FilterDeps,
): RequestFilter {
  return new RateLimitFilter(rateLimits, {
    clock: memory.clock,
    meter: memory.meter,
    bucketsOf: (limit, options) => memory.bucketsOf(scope, limit, options),
    scopeOf: ({ namespace, name, operations }) =>
      compileOperations(operations, (problem) => onProblem(`rate limit ${namespace}/${name}: ${problem}`)),
    factsOf: (context) => policyFacts(policies, context),
    cluster,
  });
}
