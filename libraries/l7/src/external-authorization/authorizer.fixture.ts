/** An external authorizer as the mesh's configuration describes it, and a CUSTOM policy for everything below `/guarded`. */

import type { ExternalAuthorizer, RequestPolicy } from "@meltemi/model/l7";
import { systemClock } from "@meltemi/runtime";
import { buildFilters } from "../filters/build-filters.ts";
import { FilterMemory } from "../filters/filter-memory.ts";
import { ANY_OPERATION } from "../filters/services.fixture.ts";
import type { RequestFilter } from "../request-context.ts";
import type { LiveCluster } from "../upstream/live-cluster.ts";

export function authorizer(fields: Partial<ExternalAuthorizer>): ExternalAuthorizer {
  return {
    name: "opa",
    protocol: "http",
    cluster: "policy",
    timeoutMs: 2000,
    pathPrefix: "",
    failOpen: false,
    statusOnError: 403,
    clearRouteCache: false,
    includeRequestHeaders: [],
    includeAdditionalHeaders: [],
    headersToUpstreamOnAllow: [],
    headersToDownstreamOnDeny: [],
    headersToDownstreamOnAllow: [],
    ...fields,
  };
}

export function customPolicy(provider: string): RequestPolicy {
  const to = [{ ...ANY_OPERATION, paths: ["/guarded*"] }];
  return {
    namespace: "ns",
    name: "ask",
    action: { provider },
    dryRun: false,
    rules: [{ from: [], to, when: [] }],
  };
}

export function authorizationFilters(
  authorizers: readonly ExternalAuthorizer[],
  cluster: LiveCluster | undefined,
  providers: readonly string[] = authorizers.map(({ name }) => name),
  memory: FilterMemory = new FilterMemory({ clock: systemClock }),
): readonly RequestFilter[] {
  return buildFilters(
    {
      scope: "",
      jwtRules: [],
      policies: providers.map(customPolicy),
      rateLimits: [],
      settings: { trustDomain: "cluster.local", trustDomainAliases: [], authorizers },
      cluster: () => cluster,
    },
    { memory, onProblem: () => undefined },
  );
}
