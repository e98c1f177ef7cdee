/** DestinationRule, networking.istio.io/v1: its schema (reference: l7-and-cli §2.5). */

import { parseStored, type Stored } from "../parse-object.ts";
import type { Parsed } from "../problem.ts";
import {
  decimal,
  type Fields,
  flag,
  integer,
  list,
  map,
  type ObjectSchema,
  object,
  oneOf,
  type Rule,
  type Schema,
  text,
} from "../schema/schema.ts";
import type { DestinationRuleSpec } from "./destination-rule-spec.ts";
import {
  atMostOne,
  DURATION,
  FIELD_NAME,
  line,
  NAME,
  NAMES,
  PORT,
  TEXT_MAP,
  UINT32,
} from "./routing-parts.ts";
import { SELECTOR } from "./target.ts";

const INT32 = integer({ min: 0, max: 2_147_483_647 });
const PERCENT = integer({ min: 0, max: 100 });

const CONSISTENT_HASH: ObjectSchema = object(
  {
    httpHeaderName: FIELD_NAME,
    httpCookie: object(
      {
        name: FIELD_NAME,
        path: line(1024),
        ttl: DURATION,
        attributes: list(object({ name: FIELD_NAME, value: line(1024) }, { required: ["name"] }), {
          maxItems: 16,
        }),
      },
      { required: ["name"] },
    ),
    useSourceIp: flag(),
    httpQueryParameterName: NAME,
    ringHash: object({ minimumRingSize: integer({ min: 0, max: 8 * 1024 * 1024 }) }),
    maglev: object({ tableSize: integer({ min: 0, max: 5_000_011 }) }),
    minimumRingSize: integer({ min: 0, max: 8 * 1024 * 1024 }),
  },
  {
    rules: [
      atMostOne("httpHeaderName", "httpCookie", "useSourceIp", "httpQueryParameterName"),
      atMostOne("ringHash", "maglev"),
    ],
  },
);

const LOCALITY: ObjectSchema = object(
  {
    distribute: list(object({ from: NAME, to: map(UINT32, { maxProperties: 256 }) }), { maxItems: 256 }),
    failover: list(object({ from: NAME, to: NAME }), { maxItems: 256 }),
    failoverPriority: NAMES,
    enabled: flag(),
  },
  { rules: [atMostOne("distribute", "failover")] },
);

/** Envoy wants more than zero: it divides by it. */
const AGGRESSION: Schema = decimal(0, 1_000);

const LOAD_BALANCER: ObjectSchema = object(
  {
    simple: oneOf("UNSPECIFIED", "RANDOM", "PASSTHROUGH", "ROUND_ROBIN", "LEAST_REQUEST", "LEAST_CONN"),
    consistentHash: CONSISTENT_HASH,
    localityLbSetting: LOCALITY,
    zoneAwareLbSetting: object({}, { open: true }),
    warmup: object(
      { duration: DURATION, minimumPercent: decimal(0, 100), aggression: AGGRESSION },
      {
        required: ["duration"],
      },
    ),
    warmupDurationSecs: DURATION,
  },
  { rules: [atMostOne("simple", "consistentHash"), atMostOne("warmup", "warmupDurationSecs")] },
);

const CONNECTION_POOL: ObjectSchema = object({
  tcp: object({
    maxConnections: INT32,
    connectTimeout: DURATION,
    tcpKeepalive: object({ probes: UINT32, time: DURATION, interval: DURATION }),
    maxConnectionDuration: DURATION,
    idleTimeout: DURATION,
  }),
  http: object({
    http1MaxPendingRequests: INT32,
    http2MaxRequests: INT32,
    maxRequestsPerConnection: INT32,
    maxRetries: INT32,
    idleTimeout: DURATION,
    h2UpgradePolicy: oneOf("DEFAULT", "DO_NOT_UPGRADE", "UPGRADE"),
    useClientProtocol: flag(),
    maxConcurrentStreams: INT32,
    http2KeepAlive: object({ interval: DURATION, timeout: DURATION }),
  }),
});

const OUTLIER_DETECTION: ObjectSchema = object({
  consecutiveErrors: INT32,
  consecutive5xxErrors: UINT32,
  consecutiveGatewayErrors: UINT32,
  splitExternalLocalOriginErrors: flag(),
  consecutiveLocalOriginFailures: UINT32,
  interval: DURATION,
  baseEjectionTime: DURATION,
  maxEjectionPercent: PERCENT,
  minHealthPercent: PERCENT,
  outlierDetectionHttpErrorCodes: list(integer({ min: 100, max: 599 }), { maxItems: 500 }),
});

const TLS: ObjectSchema = object({
  mode: oneOf("DISABLE", "SIMPLE", "MUTUAL", "ISTIO_MUTUAL"),
  clientCertificate: text({ maxLength: 4096 }),
  privateKey: text({ maxLength: 4096 }),
  caCertificates: text({ maxLength: 4096 }),
  caCrl: text({ maxLength: 4096 }),
  credentialName: text({ maxLength: 253 }),
  subjectAltNames: NAMES,
  sni: text({ maxLength: 253 }),
  insecureSkipVerify: flag(),
});

const PORT_POLICY: Readonly<Record<string, Schema>> = {
  loadBalancer: LOAD_BALANCER,
  connectionPool: CONNECTION_POOL,
  outlierDetection: OUTLIER_DETECTION,
  tls: TLS,
};

const TRAFFIC_POLICY: ObjectSchema = object({
  ...PORT_POLICY,
  portLevelSettings: list(object({ ...PORT_POLICY, port: object({ number: PORT }) }), { maxItems: 4096 }),
  tunnel: object({ protocol: text(), targetHost: text(), targetPort: PORT }),
  proxyProtocol: object({ version: oneOf("V1", "V2") }),
  retryBudget: object({ percent: decimal(0, 100), minRetryConcurrency: UINT32, budgetInterval: DURATION }),
});

const UNIQUE_NAMES: Rule<readonly unknown[]> = {
  message: "names must be unique",
  holds: (subsets) => new Set(subsets.map((subset) => (subset as Fields)["name"])).size === subsets.length,
};

export const DESTINATION_RULE_SPEC: ObjectSchema = object(
  {
    host: NAME,
    trafficPolicy: TRAFFIC_POLICY,
    subsets: list(
      object({ name: NAME, labels: TEXT_MAP, trafficPolicy: TRAFFIC_POLICY }, { required: ["name"] }),
      {
        maxItems: 4096,
        rules: [UNIQUE_NAMES],
      },
    ),
    exportTo: list(text({ maxLength: 253 }), { maxItems: 1024 }),
    workloadSelector: SELECTOR,
  },
  { required: ["host"] },
);

export function parseDestinationRule(value: unknown): Parsed<Stored<DestinationRuleSpec>> {
  return parseStored("DestinationRule", DESTINATION_RULE_SPEC, value);
}
