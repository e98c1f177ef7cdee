/** A destination of routes with the policy of its DestinationRule: which endpoints, how chosen, how much, how long (reference: l7-and-cli §2.5). */

import type { NamespacedHostname } from "../workload.ts";
import type { Origin } from "./route.ts";

export interface Cluster {
  /** Unique within the served service; for logs as Envoy writes it: `inbound-vip|80|http|reviews.default.svc.cluster.local`. */
  readonly name: string;
  readonly service: NamespacedHostname;
  readonly port: number;
  /** The DestinationRule whose word counts here. Absent: there is none. */
  readonly origin?: Origin;
  /** What is spoken with the endpoints; `http` follows the port's declaration, or the client. */
  readonly protocol: "http1" | "http2" | "sameAsClient" | "tcp";
  /** Endpoints whose labels hold all of these. Absent: every endpoint. */
  readonly subset?: { readonly name: string; readonly labels: Readonly<Record<string, string>> };
  readonly loadBalancer: LoadBalancer;
  readonly locality?: LocalityPolicy;
  readonly connectionPool: ConnectionPool;
  /** Absent: off. */
  readonly outlierDetection?: OutlierDetection;
  readonly tls?: ClientTls;
  readonly proxyProtocol?: "v1" | "v2";
  readonly retryBudget?: RetryBudget;
}

const HOUR_MS = 3_600_000;

/** A cluster with Istio's defaults for all that is not given. */
export function newCluster(
  given: Pick<Cluster, "name" | "service" | "port"> &
    Partial<Omit<Cluster, "connectionPool">> & { readonly connectionPool?: Partial<ConnectionPool> },
): Cluster {
  const { name, service, port, connectionPool, ...policy } = given;
  return {
    name,
    service,
    port,
    protocol: "sameAsClient",
    loadBalancer: { kind: "leastRequest" },
    ...policy,
    connectionPool: {
      connectTimeoutMs: 10_000,
      tcpIdleTimeoutMs: HOUR_MS,
      maxRequestsPerConnection: 0,
      httpIdleTimeoutMs: HOUR_MS,
      ...connectionPool,
    },
  };
}

export type HashKey =
  | { readonly kind: "header"; readonly name: string }
  | {
      readonly kind: "cookie";
      readonly name: string;
      readonly path: string;
      /** Absent: a cookie is never made here. Zero: a session cookie. */
      readonly ttlMs?: number;
      readonly attributes: readonly (readonly [name: string, value: string])[];
    }
  | { readonly kind: "sourceIp" }
  | { readonly kind: "queryParam"; readonly name: string };

export type LoadBalancer =
  | { readonly kind: "roundRobin"; readonly warmup?: Warmup }
  | { readonly kind: "leastRequest"; readonly warmup?: Warmup }
  | { readonly kind: "random" }
  /** To the address that the client dialled. */
  | { readonly kind: "passthrough" }
  | { readonly kind: "ringHash"; readonly key: HashKey; readonly minimumRingSize: number }
  | { readonly kind: "maglev"; readonly key: HashKey; readonly tableSize: number };

/** A new endpoint's share grows from `minimumPercent` to all over `durationMs`, along `(elapsed / duration) ^ (1 / aggression)`. */
export interface Warmup {
  readonly durationMs: number;
  readonly minimumPercent: number;
  readonly aggression: number;
}

export type LocalityPolicy =
  /** Own locality first, then by the given labels or regions. Only with outlier detection. */
  | {
      readonly kind: "failover";
      readonly failover: readonly { readonly from: string; readonly to: string }[];
      /** Labels, in order of weight; empty: region, zone, subzone. */
      readonly priority: readonly string[];
    }
  | {
      readonly kind: "distribute";
      /** `region/zone/subzone`, with `*`, to percentages. */
      readonly rules: readonly { readonly from: string; readonly to: Readonly<Record<string, number>> }[];
    };

/** Bounds per cluster and waypoint replica. Absent: unbounded, as in Istio; the waypoint's own bounds hold all the same. */
export interface ConnectionPool {
  readonly maxConnections?: number;
  readonly connectTimeoutMs: number;
  readonly maxConnectionDurationMs?: number;
  /** Zero: never. */
  readonly tcpIdleTimeoutMs: number;
  readonly tcpKeepalive?: {
    readonly probes?: number;
    readonly timeMs?: number;
    readonly intervalMs?: number;
  };
  readonly maxPendingRequests?: number;
  readonly maxRequests?: number;
  /** Zero: unlimited. */
  readonly maxRequestsPerConnection: number;
  readonly maxRetries?: number;
  /** Zero: never. */
  readonly httpIdleTimeoutMs: number;
  readonly maxConcurrentStreams?: number;
  readonly http2Keepalive?: { readonly intervalMs: number; readonly timeoutMs: number };
}

export interface OutlierDetection {
  /** Zero: off. */
  readonly consecutive5xx: number;
  readonly consecutiveGatewayErrors: number;
  readonly splitLocalOriginErrors: boolean;
  readonly consecutiveLocalOriginFailures: number;
  readonly intervalMs: number;
  readonly baseEjectionTimeMs: number;
  readonly maxEjectionPercent: number;
  readonly minHealthPercent: number;
  /** Statuses that count instead of 5xx; empty: 5xx. */
  readonly errorCodes: readonly number[];
}

export interface ClientTls {
  readonly mode: "simple" | "mutual";
  /** PEM; absent: the machine's roots. */
  readonly caCertificates?: string;
  readonly certificateChain?: string;
  readonly privateKey?: string;
  readonly subjectAltNames: readonly string[];
  /** Absent: the authority of the request. */
  readonly sni?: string;
  readonly skipVerify: boolean;
}

/** Retries at once are at most `percent` of the active requests, but never fewer than `minConcurrency`. */
export interface RetryBudget {
  readonly percent: number;
  readonly minConcurrency: number;
}
