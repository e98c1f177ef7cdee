/** The filters of one service, or of a waypoint itself, in Istio's order (reference: l7-and-cli §1.10 item 4). */

import type { JwtRule, RateLimit, RequestPolicy, WaypointSettings } from "@meltemi/model/l7";
import type { RequestFilter } from "../request-context.ts";
import type { UpstreamCluster } from "../upstream/upstream-cluster.ts";
import type { FilterMemory } from "./filter-memory.ts";

export interface FilterInput {
  /** What local rate limits count for: `namespace/hostname` of the service, empty for the waypoint itself. */
  readonly scope: string;
  readonly jwtRules: readonly JwtRule[];
  readonly policies: readonly RequestPolicy[];
  readonly rateLimits: readonly RateLimit[];
  readonly settings: Pick<WaypointSettings, "trustDomain" | "trustDomainAliases" | "authorizers">;
  /** Those of the waypoint's settings; undefined for a name that is not there. */
  cluster(name: string): UpstreamCluster | undefined;
}

export interface FilterDeps {
  /** One for the process: what outlives a change of the configuration. */
  readonly memory: FilterMemory;
  /** Part of the configuration cannot be met, and how that is resolved; for the log. */
  readonly onProblem: (problem: string) => void;
}

/** External authorization, tokens, policies, rate limits. What is not configured costs nothing: it is not there. */
export function buildFilters(input: FilterInput, deps: FilterDeps): readonly RequestFilter[] {
  const { jwtRules, policies, rateLimits } = input;
  if (jwtRules.length + policies.length + rateLimits.length === 0) return [];
  deps.onProblem("policies are refused until they can be enforced");
  return [REFUSE_ALL];
}

const REFUSE_ALL: RequestFilter = {
  name: "refuse",
  onRequest: () => ({
    kind: "reply",
    reply: {
      status: 403,
      body: "RBAC: access denied",
      headers: [],
      flag: "",
      details: "rbac_access_denied_matched_policy[none]",
    },
  }),
};
