/** Addresses of endpoints that are known by host name only (reference: protocol §5.1, "Address pick"). */

import type { LookupAddress } from "node:dns";
import { type Ip, parseIp } from "@meltemi/model";
import type { Clock } from "@meltemi/runtime";

/** As Istio. */
const MAX_CACHED_NAMES = 4096;
/** The system's resolver tells no TTL; within this time a moved endpoint is followed. */
const CACHE_MS = 10_000;

export interface HostnameResolver {
  /** All addresses; none when the name does not resolve. Never rejects. */
  resolve(hostname: string): Promise<readonly Ip[]>;
}

export interface HostnameResolverDeps {
  readonly clock: Clock;
  readonly lookup: (hostname: string) => Promise<readonly LookupAddress[]>;
}

export function createHostnameResolver(deps: HostnameResolverDeps): HostnameResolver {
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
    resolve(hostname) {
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
