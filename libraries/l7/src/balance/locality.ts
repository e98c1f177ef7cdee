/** Which endpoints come first for who sends from where (reference: l7-and-cli §2.5 `localityLbSetting`; protocol §5.1 for WDS preferences). */

import { type LoadBalancing, type Locality, localityRank, type Place } from "@meltemi/model";
import type { LocalityPolicy } from "@meltemi/model/l7";
import type { BalancedEndpoint } from "./endpoint.ts";

/** Who sends: the place of the waypoint, and its labels. */
export interface LocalitySource extends Place {
  readonly labels: Readonly<Record<string, string>>;
}

/** Endpoints that share a weight among the groups of their level. */
export interface LocalityGroup<E extends BalancedEndpoint> {
  readonly weight: number;
  readonly endpoints: readonly E[];
}

/** One priority; the next takes over as far as this one's endpoints fail. */
export type LocalityLevel<E extends BalancedEndpoint> = readonly LocalityGroup<E>[];

/** Highest priority first; endpoints that may never be used are in none. `preference` holds where there is no policy. */
export function localityLevels<E extends BalancedEndpoint>(
  endpoints: readonly E[],
  source: LocalitySource,
  policy: LocalityPolicy | undefined,
  preference: LoadBalancing | undefined,
): readonly LocalityLevel<E>[] {
  if (policy?.kind === "distribute") return [distributed(endpoints, source.locality, policy.rules)];
  if (policy?.kind === "failover")
    return byPriority(endpoints, (endpoint) => failoverPriority(endpoint, source, policy));
  return byPreference(endpoints, source, preference);
}

/** One level per priority that has endpoints, the lowest number first. */
function byPriority<E extends BalancedEndpoint>(
  endpoints: readonly E[],
  priorityOf: (endpoint: E) => number,
): readonly LocalityLevel<E>[] {
  const levels = Map.groupBy(endpoints, priorityOf);
  return [...levels.keys()]
    .sort((a, b) => a - b)
    .map((priority) => [{ weight: 1, endpoints: levels.get(priority) ?? [] }]);
}

function byPreference<E extends BalancedEndpoint>(
  endpoints: readonly E[],
  source: LocalitySource,
  preference: LoadBalancing | undefined,
): readonly LocalityLevel<E>[] {
  if (preference === undefined || preference.mode === "standard" || preference.mode === "passthrough")
    return byPriority(endpoints, () => 0);
  const { mode, routingPreferences } = preference;
  const isNear = (endpoint: E): boolean =>
    mode !== "strict" ||
    localityRank(routingPreferences, source, endpoint).matched === routingPreferences.length;
  return byPriority(
    endpoints.filter(isNear),
    (endpoint) => -localityRank(routingPreferences, source, endpoint).score,
  );
}

type Failover = Extract<LocalityPolicy, { readonly kind: "failover" }>;

function failoverPriority(endpoint: BalancedEndpoint, source: LocalitySource, policy: Failover): number {
  if (policy.priority.length === 0) return regionPriority(endpoint.locality, source.locality, policy);
  const byLabel = labelPriority(endpoint, source, policy.priority);
  // Regions then tell apart those that labels do not; there are five outcomes of them.
  return policy.failover.length === 0
    ? byLabel
    : byLabel * 5 + regionPriority(endpoint.locality, source.locality, policy);
}

/** 0 to 2 within the region, 3 outside of it, 4 where the region's rule names another region. */
function regionPriority(endpoint: Locality, source: Locality, { failover }: Failover): number {
  if (endpoint.region === source.region) {
    if (endpoint.zone !== source.zone) return 2;
    return endpoint.subzone === source.subzone ? 0 : 1;
  }
  const rule = failover.find(({ from }) => from === source.region);
  return rule === undefined || rule.to === endpoint.region ? 3 : 4;
}

/** How many labels are left when the first does not agree; `name=value` asks for a value instead of the source's. */
function labelPriority(
  endpoint: BalancedEndpoint,
  source: LocalitySource,
  priority: readonly string[],
): number {
  const firstMiss = priority.findIndex((wanted) => {
    const equals = wanted.indexOf("=");
    const name = equals < 0 ? wanted : wanted.slice(0, equals);
    const value = equals < 0 ? labelOf(source, name) : wanted.slice(equals + 1);
    return labelOf(endpoint, name) !== value;
  });
  return firstMiss < 0 ? 0 : priority.length - firstMiss;
}

/** Labels of the place stand for what is known of it, whether or not the pod carries them. */
function labelOf(place: Place & { readonly labels: Readonly<Record<string, string>> }, name: string): string {
  switch (name) {
    case "topology.istio.io/network":
      return place.network;
    case "topology.istio.io/cluster":
      return place.clusterId;
    case "topology.kubernetes.io/region":
      return place.locality.region;
    case "topology.kubernetes.io/zone":
      return place.locality.zone;
    case "topology.istio.io/subzone":
      return place.locality.subzone;
    case "kubernetes.io/hostname":
      return place.node;
    default:
      return Object.hasOwn(place.labels, name) ? (place.labels[name] ?? "") : "";
  }
}

type DistributeRule = Extract<LocalityPolicy, { readonly kind: "distribute" }>["rules"][number];

/** The first rule for the source's place; endpoints that it does not name get nothing. Without a rule, all are one group. */
function distributed<E extends BalancedEndpoint>(
  endpoints: readonly E[],
  source: Locality,
  rules: readonly DistributeRule[],
): LocalityLevel<E> {
  const rule = rules.find(({ from }) => localityMatches(from, source));
  if (rule === undefined) return [{ weight: 1, endpoints }];
  const left = new Set(endpoints);
  return Object.entries(rule.to).flatMap(([to, weight]) => {
    const named = [...left].filter((endpoint) => localityMatches(to, endpoint.locality));
    for (const endpoint of named) left.delete(endpoint);
    return named.length === 0 || weight <= 0 ? [] : [{ weight, endpoints: named }];
  });
}

/** `region`, `region/zone`, `region/zone/subzone`, each part or all that follows `*`. */
function localityMatches(pattern: string, { region, zone, subzone }: Locality): boolean {
  const parts = pattern.split("/");
  const place = [region, zone, subzone];
  return parts.length <= 3 && parts.every((part, index) => part === "*" || part === place[index]);
}
