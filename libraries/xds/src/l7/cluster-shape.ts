/** Shape of a {@link Cluster}. */

import type {
  ClientTls,
  Cluster,
  ConnectionPool,
  HashKey,
  LoadBalancer,
  LocalityPolicy,
  OutlierDetection,
  Warmup,
} from "@meltemi/model/l7";
import {
  HEADER_NAME,
  LABEL_TEXT,
  LABELS,
  MILLISECONDS,
  NAME,
  ORIGIN,
  PERCENT,
  PORT,
} from "./common-shape.ts";
import type { Shape } from "./shape.ts";
import { decimal, flag, integer, list, maybe, object, oneOf, pair, record, text, union } from "./shape.ts";

const COUNT: Shape<number> = integer(0, 0xffff_ffff);

const HASH_KEY: Shape<HashKey> = union<HashKey>({
  header: { name: HEADER_NAME },
  cookie: {
    name: NAME,
    path: LABEL_TEXT,
    ttlMs: maybe(MILLISECONDS),
    attributes: list(pair(NAME, LABEL_TEXT), 16),
  },
  sourceIp: {},
  queryParam: { name: NAME },
});

const WARMUP: Shape<Warmup> = object<Warmup>({
  durationMs: MILLISECONDS,
  minimumPercent: PERCENT,
  aggression: decimal(0, 1_000),
});

/** A table of five million entries is more memory than any use of it is worth (Envoy's own bound). */
const TABLE_SIZE: Shape<number> = integer(1, 5_000_011);
const RING_SIZE: Shape<number> = integer(1, 8 * 1024 * 1024);

const LOAD_BALANCER: Shape<LoadBalancer> = union<LoadBalancer>({
  roundRobin: { warmup: maybe(WARMUP) },
  leastRequest: { warmup: maybe(WARMUP) },
  random: {},
  passthrough: {},
  ringHash: { key: HASH_KEY, minimumRingSize: RING_SIZE },
  maglev: { key: HASH_KEY, tableSize: TABLE_SIZE },
});

const LOCALITY: Shape<LocalityPolicy> = union<LocalityPolicy>({
  failover: {
    failover: list(object({ from: LABEL_TEXT, to: LABEL_TEXT })),
    priority: list(LABEL_TEXT),
  },
  distribute: { rules: list(object({ from: LABEL_TEXT, to: record(integer(0, 0xffff_ffff)) })) },
});

const CONNECTION_POOL: Shape<ConnectionPool> = object<ConnectionPool>({
  maxConnections: maybe(COUNT),
  connectTimeoutMs: MILLISECONDS,
  maxConnectionDurationMs: maybe(MILLISECONDS),
  tcpIdleTimeoutMs: MILLISECONDS,
  tcpKeepalive: maybe(
    object<NonNullable<ConnectionPool["tcpKeepalive"]>>({
      probes: maybe(COUNT),
      timeMs: maybe(MILLISECONDS),
      intervalMs: maybe(MILLISECONDS),
    }),
  ),
  maxPendingRequests: maybe(COUNT),
  maxRequests: maybe(COUNT),
  maxRequestsPerConnection: COUNT,
  maxRetries: maybe(COUNT),
  httpIdleTimeoutMs: MILLISECONDS,
  maxConcurrentStreams: maybe(COUNT),
  http2Keepalive: maybe(object({ intervalMs: MILLISECONDS, timeoutMs: MILLISECONDS })),
});

const OUTLIER_DETECTION: Shape<OutlierDetection> = object<OutlierDetection>({
  consecutive5xx: COUNT,
  consecutiveGatewayErrors: COUNT,
  splitLocalOriginErrors: flag,
  consecutiveLocalOriginFailures: COUNT,
  intervalMs: integer(1, Number.MAX_SAFE_INTEGER),
  baseEjectionTimeMs: MILLISECONDS,
  maxEjectionPercent: PERCENT,
  minHealthPercent: PERCENT,
  errorCodes: list(integer(100, 599)),
});

const TLS: Shape<ClientTls> = object<ClientTls>({
  mode: oneOf("simple", "mutual"),
  caCertificates: maybe(text(1)),
  certificateChain: maybe(text(1)),
  privateKey: maybe(text(1)),
  subjectAltNames: list(NAME),
  sni: maybe(NAME),
  skipVerify: flag,
});

export const CLUSTER: Shape<Cluster> = object<Cluster>({
  name: NAME,
  service: object({ namespace: NAME, hostname: NAME }),
  port: PORT,
  origin: maybe(ORIGIN),
  protocol: oneOf("http1", "http2", "sameAsClient", "tcp"),
  subset: maybe(object({ name: NAME, labels: LABELS })),
  loadBalancer: LOAD_BALANCER,
  locality: maybe(LOCALITY),
  connectionPool: CONNECTION_POOL,
  outlierDetection: maybe(OUTLIER_DETECTION),
  tls: maybe(TLS),
  proxyProtocol: maybe(oneOf("v1", "v2")),
  retryBudget: maybe(object({ percent: PERCENT, minConcurrency: COUNT })),
});
