/** `loadBalancer` and `outlierDetection` of a traffic policy → the model (reference: l7-and-cli §2.5). Pure. */

import type { HashKey, LoadBalancer, LocalityPolicy, OutlierDetection, Warmup } from "@meltemi/model/l7";
import type {
  ConsistentHashSpec,
  LoadBalancerSpec,
  LocalityLbSpec,
  OutlierDetectionSpec,
} from "@meltemi/resources";
import { durationMs } from "./values.ts";

const MINIMUM_RING_SIZE = 1024;
const MAGLEV_TABLE_SIZE = 65_537;

export function loadBalancerOf(spec: LoadBalancerSpec | undefined): LoadBalancer {
  if (spec?.consistentHash !== undefined) return hashing(spec.consistentHash);
  const warmup = warmupOf(spec);
  switch (spec?.simple) {
    case "RANDOM":
      return { kind: "random" };
    case "PASSTHROUGH":
      return { kind: "passthrough" };
    case "ROUND_ROBIN":
      return { kind: "roundRobin", ...(warmup && { warmup }) };
    default:
      return { kind: "leastRequest", ...(warmup && { warmup }) };
  }
}

function warmupOf(spec: LoadBalancerSpec | undefined): Warmup | undefined {
  const ms = durationMs(spec?.warmup?.duration ?? spec?.warmupDurationSecs) ?? 0;
  if (ms === 0) return undefined;
  const { minimumPercent = 10, aggression = 1 } = spec?.warmup ?? {};
  // Its inverse is an exponent.
  return { durationMs: ms, minimumPercent, aggression: aggression > 0 ? aggression : 1 };
}

function hashing(spec: ConsistentHashSpec): LoadBalancer {
  const key = hashKeyOf(spec);
  // Without a key there is nothing to be consistent about.
  if (key === undefined) return { kind: "leastRequest" };
  if (spec.maglev !== undefined)
    return { kind: "maglev", key, tableSize: spec.maglev.tableSize || MAGLEV_TABLE_SIZE };
  const minimumRingSize = spec.ringHash?.minimumRingSize ?? spec.minimumRingSize;
  return { kind: "ringHash", key, minimumRingSize: minimumRingSize || MINIMUM_RING_SIZE };
}

function hashKeyOf(spec: ConsistentHashSpec): HashKey | undefined {
  if (spec.httpHeaderName !== undefined) return { kind: "header", name: spec.httpHeaderName.toLowerCase() };
  if (spec.useSourceIp === true) return { kind: "sourceIp" };
  if (spec.httpQueryParameterName !== undefined)
    return { kind: "queryParam", name: spec.httpQueryParameterName };
  const cookie = spec.httpCookie;
  if (cookie === undefined) return undefined;
  const ttlMs = durationMs(cookie.ttl);
  return {
    kind: "cookie",
    name: cookie.name,
    path: cookie.path ?? "",
    ...(ttlMs !== undefined && { ttlMs }),
    attributes: (cookie.attributes ?? []).map(({ name, value = "" }) => [name, value] as const),
  };
}

/** `enabled`: the mesh's word, where the rule has none. Failover needs to know who fails. */
export function localityOf(
  spec: LocalityLbSpec | undefined,
  hasOutlierDetection: boolean,
  enabled: boolean,
): LocalityPolicy | undefined {
  if (!(spec?.enabled ?? enabled)) return undefined;
  if (spec?.distribute !== undefined && spec.distribute.length > 0)
    return { kind: "distribute", rules: spec.distribute.map(({ from, to = {} }) => ({ from, to })) };
  if (!hasOutlierDetection) return undefined;
  return { kind: "failover", failover: spec?.failover ?? [], priority: spec?.failoverPriority ?? [] };
}

export function outlierDetectionOf(spec: OutlierDetectionSpec): OutlierDetection {
  return {
    consecutive5xx: spec.consecutive5xxErrors ?? spec.consecutiveErrors ?? 5,
    consecutiveGatewayErrors: spec.consecutiveGatewayErrors ?? 0,
    splitLocalOriginErrors: spec.splitExternalLocalOriginErrors ?? false,
    consecutiveLocalOriginFailures: spec.consecutiveLocalOriginFailures ?? 5,
    intervalMs: durationMs(spec.interval) || 10_000,
    baseEjectionTimeMs: durationMs(spec.baseEjectionTime) || 30_000,
    maxEjectionPercent: spec.maxEjectionPercent ?? 10,
    minHealthPercent: spec.minHealthPercent ?? 0,
    errorCodes: spec.outlierDetectionHttpErrorCodes ?? [],
  };
}
