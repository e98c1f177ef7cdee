/** Addresses of endpoints that are known by host name only (reference: protocol §5.1, "Address pick"). */

import type { LookupAddress } from "node:dns";
import { type Ip, parseIp, type Workload } from "@meltemi/model";
import type { Clock } from "@meltemi/runtime";
import type { Counter, Family, LabelValues, Registry } from "@meltemi/telemetry";
import { connectionLabels } from "../telemetry/connection-labels.ts";

/** As Istio. */
const MAX_CACHED_NAMES = 4096;
/** The system's resolver tells no TTL; within this time a moved endpoint is followed. */
const CACHE_MS = 10_000;

const LABELS = [
  "source_workload",
  "source_canonical_service",
  "source_canonical_revision",
  "source_workload_namespace",
  "source_principal",
  "source_app",
  "source_version",
  "source_cluster",
  "hostname",
] as const;
type OnDemandLabel = (typeof LABELS)[number];

export interface HostnameResolver {
  /** All addresses; none when the name does not resolve. Never rejects. */
  resolve(hostname: string, client: Workload): Promise<readonly Ip[]>;
}

export interface HostnameResolverDeps {
  readonly clock: Clock;
  readonly registry: Registry;
  readonly lookup: (hostname: string) => Promise<readonly LookupAddress[]>;
}

export function createHostnameResolver(deps: HostnameResolverDeps): HostnameResolver {
  const requests: Family<OnDemandLabel, Counter> = deps.registry.counter({
    name: "istio_on_demand_dns",
    help: "The total number of requests that used on-demand DNS",
    labels: LABELS,
  });
  const cache = new Map<string, { readonly atMs: number; readonly answer: Promise<readonly Ip[]> }>();

  const lookup = async (hostname: string): Promise<readonly Ip[]> => {
    try {
      const answers = await deps.lookup(hostname);
      return answers.map((answer) => parseIp(answer.address)).filter((ip) => ip !== undefined);
    } catch {
      // Whatever the resolver's reason, the outcome for the connection is the same: no address.
      cache.delete(hostname);
      return [];
    }
  };

  return {
    resolve(hostname, client) {
      requests.labels(labelsOf(client, hostname)).inc();
      const nowMs = deps.clock.monotonicMs();
      const cached = cache.get(hostname);
      if (cached !== undefined && nowMs - cached.atMs < CACHE_MS) return cached.answer;
      cache.delete(hostname);
      if (cache.size >= MAX_CACHED_NAMES) {
        const [oldest] = cache.keys();
        if (oldest !== undefined) cache.delete(oldest);
      }
      const answer = lookup(hostname);
      cache.set(hostname, { atMs: nowMs, answer });
      return answer;
    },
  };
}

function labelsOf(client: Workload, hostname: string): LabelValues<OnDemandLabel> {
  const labels = connectionLabels(
    {
      reporter: "source",
      source: client,
      sourceIdentity: undefined,
      destination: undefined,
      destinationService: undefined,
      mutualTls: false,
    },
    "-",
  );
  const own: Partial<Record<OnDemandLabel, string | undefined>> = { hostname };
  for (const label of LABELS) if (label !== "hostname") own[label] = labels[label];
  return own;
}
