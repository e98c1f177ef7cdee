export type {
  ClientTls,
  Cluster,
  ConnectionPool,
  HashKey,
  LoadBalancer,
  LocalityPolicy,
  OutlierDetection,
  RetryBudget,
  Warmup,
} from "./cluster.ts";
export type { NamedMatch, PathMatch, RequestMatch, SourceMatch, TextMatch } from "./match.ts";
export type {
  ExternalAuthorizer,
  JwtRule,
  PolicyCondition,
  PolicyOperation,
  PolicyRule,
  PolicySource,
  RateLimit,
  RateLimitKey,
  RequestPolicy,
} from "./policy.ts";
export type {
  CorsPolicy,
  DirectResponse,
  Fault,
  Forward,
  HeaderEdit,
  HttpRoute,
  Mirror,
  Origin,
  PathRewrite,
  Redirect,
  RetryCondition,
  RetryPolicy,
  Rewrite,
  RouteTarget,
  TcpMatch,
  TcpRoute,
  WeightedTarget,
} from "./route.ts";
export type { ServedPort, ServedProtocol, ServedService, WaypointSettings } from "./served.ts";
export type { AccessLogSettings, MetricOverride, TelemetrySettings, TracingSettings } from "./telemetry.ts";
