/** Shapes of whole resources, and of telemetry settings. */

import type {
  AccessLogSettings,
  MetricOverride,
  ServedPort,
  ServedService,
  TelemetrySettings,
  TracingSettings,
  WaypointSettings,
} from "@meltemi/model/l7";
import { CLUSTER } from "./cluster-shape.ts";
import { HEADER_NAME, HEADER_VALUE, LABEL_TEXT, NAME, PERCENT, PORT, VALUE } from "./common-shape.ts";
import { EXTERNAL_AUTHORIZER, JWT_RULE, RATE_LIMIT, REQUEST_POLICY } from "./policy-shape.ts";
import { HTTP_ROUTE, RETRY, TCP_ROUTE } from "./route-shape.ts";
import { flag, list, maybe, object, oneOf, record, type Shape, union } from "./shape.ts";

const ACCESS_LOG: Shape<AccessLogSettings> = union<AccessLogSettings>({
  off: {},
  on: {
    format: union<Extract<AccessLogSettings, { kind: "on" }>["format"]>({
      text: { text: VALUE },
      json: { labels: record(VALUE) },
    }),
    filter: maybe(VALUE),
  },
});

const METRIC: Shape<MetricOverride> = object<MetricOverride>({
  metric: maybe(NAME),
  disabled: maybe(flag),
  tags: list(object<MetricOverride["tags"][number]>({ name: NAME, value: maybe(VALUE) })),
});

const TRACING: Shape<TracingSettings> = object<TracingSettings>({
  collector: maybe(object({ protocol: oneOf("otlpHttp", "zipkin"), cluster: NAME, path: HEADER_VALUE })),
  samplingPercent: PERCENT,
  customTags: list(
    object<TracingSettings["customTags"][number]>({
      name: NAME,
      from: union<TracingSettings["customTags"][number]["from"]>({
        literal: { value: VALUE },
        header: { name: HEADER_NAME, fallback: maybe(VALUE) },
      }),
    }),
  ),
});

const TELEMETRY: Shape<TelemetrySettings> = object<TelemetrySettings>({
  accessLog: ACCESS_LOG,
  metrics: list(METRIC),
  tracing: TRACING,
});

const SERVED_PORT: Shape<ServedPort> = object<ServedPort>({
  port: PORT,
  protocol: oneOf("http", "tcp", "tls", "sniff"),
  httpRoutes: list(HTTP_ROUTE),
  tcpRoutes: list(TCP_ROUTE),
  cluster: NAME,
});

export const SERVED_SERVICE: Shape<ServedService> = object<ServedService>({
  namespace: NAME,
  hostname: NAME,
  ports: list(SERVED_PORT),
  clusters: list(CLUSTER),
  jwtRules: list(JWT_RULE),
  policies: list(REQUEST_POLICY),
  rateLimits: list(RATE_LIMIT),
  telemetry: TELEMETRY,
});

export const WAYPOINT_SETTINGS: Shape<WaypointSettings> = object<WaypointSettings>({
  trafficType: oneOf("service", "workload", "all", "none"),
  trustDomain: NAME,
  trustDomainAliases: list(LABEL_TEXT),
  pathNormalization: oneOf("none", "base", "mergeSlashes", "decodeAndMergeSlashes"),
  defaultRetry: RETRY,
  forwardClientIdentity: flag,
  jwtRules: list(JWT_RULE),
  policies: list(REQUEST_POLICY),
  rateLimits: list(RATE_LIMIT),
  telemetry: TELEMETRY,
  authorizers: list(EXTERNAL_AUTHORIZER),
  clusters: list(CLUSTER),
});
