/** Secrets that a DestinationRule names and its waypoints cannot have; the source of what its status says of them. Pure. */

import type { DestinationRuleSpec, TrafficPolicySpec } from "@meltemi/resources";
import { bindingKey, servingWaypoints } from "../binding-report.ts";
import type { Compilation } from "../workload-parts.ts";
import { findHost } from "./destinations.ts";
import type { DestinationRuleFacts } from "./facts.ts";
import { fullHost } from "./hosts.ts";

export interface MissingCredential {
  readonly namespace: string;
  readonly name: string;
  /** Else it is not there. */
  readonly isForbidden: boolean;
}

/** All that the rule names, for whatever mode. */
export function credentialNames({ trafficPolicy, subsets = [] }: DestinationRuleSpec): readonly string[] {
  const policies = [trafficPolicy, ...subsets.map((subset) => subset.trafficPolicy)];
  return policies.flatMap((policy: TrafficPolicySpec = {}) =>
    [policy, ...(policy.portLevelSettings ?? [])].flatMap(({ tls }) => tls?.credentialName || []),
  );
}

/** Of the namespaces of the waypoints that serve the rule's host: Secrets are read where the waypoint is. */
export function missingCredentials(
  { spec, namespace }: DestinationRuleFacts,
  compilation: Compilation,
): readonly MissingCredential[] {
  const names = new Set(credentialNames(spec));
  if (names.size === 0) return [];
  const { inputs, outputs, read, settings } = compilation;
  const host = findHost(fullHost(spec.host, namespace, settings.clusterDomain), namespace, compilation);
  const binding = host && read.get(outputs.waypointBindings, bindingKey(host.kind, host));
  const places = new Set(binding && servingWaypoints(binding).map((key) => key.slice(0, key.indexOf("/"))));
  return [...places].flatMap((place) =>
    [...names].flatMap((name) => {
      const found = read.get(inputs.credentials, `${place}/${name}`);
      if (found !== undefined && found.isForbidden !== true) return [];
      return { namespace: place, name, isForbidden: found !== undefined };
    }),
  );
}
