/** Which DestinationRule holds for a host, and what of it for one port and subset (reference: l7-and-cli §2.5). Pure. */

import type { Origin } from "@meltemi/model/l7";
import type { SubsetSpec, TrafficPolicySpec } from "@meltemi/resources";
import type { DestinationRuleFacts } from "./facts.ts";
import { byAge, fullHost, hostPatterns, isVisible } from "./hosts.ts";

/** Of all rules for a host in one namespace: the oldest's policy, and the subsets of all. */
export interface MergedRule {
  readonly trafficPolicy?: TrafficPolicySpec;
  readonly subsets: ReadonlyMap<string, SubsetSpec>;
  /** The rule of the policy; without a policy the oldest of all. */
  readonly origin: Origin;
  /** By subset, the rule that it is of. */
  readonly subsetOrigins: ReadonlyMap<string, Origin>;
}

/** Where rules are looked for, the first namespace that has any deciding. */
export interface RulePlaces {
  readonly waypoint: string;
  readonly service: string;
  readonly root: string;
  readonly clusterDomain: string;
}

/** `rules`: all that could be for the host. Undefined: none is. */
export function ruleFor(
  hostname: string,
  rules: readonly DestinationRuleFacts[],
  places: RulePlaces,
): MergedRule | undefined {
  const { waypoint, service, root, clusterDomain } = places;
  // A selector chooses among sidecars.
  const usable = rules.filter(({ spec }) => spec.workloadSelector === undefined);
  for (const namespace of new Set([waypoint, service, root])) {
    const local = usable.filter(
      (rule) =>
        rule.namespace === namespace &&
        isVisible(rule.spec.exportTo, namespace, namespace === service ? [waypoint, service] : [waypoint]),
    );
    for (const pattern of hostPatterns(hostname)) {
      const matching = local.filter(({ spec }) => fullHost(spec.host, namespace, clusterDomain) === pattern);
      const [oldest, ...younger] = matching.toSorted(byAge);
      if (oldest !== undefined) return merge(oldest, younger);
    }
  }
  return undefined;
}

function merge(oldest: DestinationRuleFacts, younger: readonly DestinationRuleFacts[]): MergedRule {
  const rules = [oldest, ...younger];
  const deciding = rules.find(({ spec }) => spec.trafficPolicy !== undefined);
  const subsets = new Map<string, SubsetSpec>();
  const subsetOrigins = new Map<string, Origin>();
  for (const rule of rules)
    for (const subset of rule.spec.subsets ?? []) {
      if (subsets.has(subset.name)) continue;
      subsets.set(subset.name, subset);
      subsetOrigins.set(subset.name, originOf(rule));
    }
  const trafficPolicy = deciding?.spec.trafficPolicy;
  const origin = originOf(deciding ?? oldest);
  return { subsets, subsetOrigins, origin, ...(trafficPolicy && { trafficPolicy }) };
}

function originOf({ namespace, name }: DestinationRuleFacts): Origin {
  return { kind: "DestinationRule", namespace, name };
}

/**
 * The subset's fields over the rule's; settings of a port replace all four of theirs, given or not.
 * The subset's word on the port is the last.
 */
export function policyFor(
  rule: MergedRule | undefined,
  port: number,
  subset: SubsetSpec | undefined,
): TrafficPolicySpec {
  const base = forPort(rule?.trafficPolicy ?? {}, port);
  const own = subset?.trafficPolicy;
  if (own === undefined) return base;
  const { portLevelSettings: _ports, ...fields } = own;
  return forPort({ ...base, ...fields, ...portsOf(own) }, port);
}

function portsOf({ portLevelSettings }: TrafficPolicySpec): Pick<TrafficPolicySpec, "portLevelSettings"> {
  return portLevelSettings === undefined ? {} : { portLevelSettings };
}

function forPort(policy: TrafficPolicySpec, port: number): TrafficPolicySpec {
  const { portLevelSettings, loadBalancer, connectionPool, outlierDetection, tls, ...whole } = policy;
  const settings = portLevelSettings?.find((each) => each.port?.number === port);
  const chosen = settings ?? { loadBalancer, connectionPool, outlierDetection, tls };
  return {
    ...whole,
    ...(chosen.loadBalancer && { loadBalancer: chosen.loadBalancer }),
    ...(chosen.connectionPool && { connectionPool: chosen.connectionPool }),
    ...(chosen.outlierDetection && { outlierDetection: chosen.outlierDetection }),
    ...(chosen.tls && { tls: chosen.tls }),
  };
}
