/** Where the limits of a RateLimitPolicy are enforced, by whom, or why not; the source of its status. */

import type { Output } from "../graph.ts";
import { reportTargets, type WaypointVerdict } from "../policy-targets.ts";
import type { Compilation } from "../workload-parts.ts";
import { createDestinations } from "./destinations.ts";
import type { RateLimitPolicyFacts } from "./facts.ts";
import { fullHost } from "./hosts.ts";

export interface RateLimitReport {
  readonly namespace: string;
  readonly name: string;
  readonly generation: number;
  readonly targets: WaypointVerdict["targets"];
  /** Rate limit services that are not there: what such a limit then does, `failOpen` says. */
  readonly missingServices: readonly string[];
}

export function reportRateLimit(
  policy: RateLimitPolicyFacts,
  compilation: Compilation,
): readonly Output<RateLimitReport>[] {
  const { namespace, name, generation, limits } = policy;
  const { clusterDomain } = compilation.settings;
  const destinations = createDestinations(compilation, { namespace, name: "" }, namespace);
  const missingServices = limits.flatMap(({ limit }): string[] => {
    if (limit.kind === "local") return [];
    const host = fullHost(limit.host, namespace, clusterDomain);
    const target = destinations.target({ host, port: limit.port }, limit.port);
    return target.kind === "invalid" ? [target.detail] : [];
  });
  const { targets } = reportTargets(policy, compilation);
  return [{ key: `${namespace}/${name}`, value: { namespace, name, generation, targets, missingServices } }];
}
