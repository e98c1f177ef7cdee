export {
  type ClientTls,
  type Cluster,
  type ConnectionPool,
  type HashKey,
  type LoadBalancer,
  type LocalityPolicy,
  newCluster,
  type OutlierDetection,
  type RetryBudget,
  type Warmup,
} from "./cluster.ts";
export { GRPC_STATUS_NAMES } from "./grpc-status.ts";
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
export {
  type CorsPolicy,
  type DirectResponse,
  type Fault,
  type Forward,
  type HeaderEdit,
  type HttpRoute,
  type Mirror,
  type Origin,
  type PathRewrite,
  RETRY_CONDITIONS,
  type Redirect,
  type RetryCondition,
  type RetryPolicy,
  type Rewrite,
  type RouteTarget,
  type TcpMatch,
  type TcpRoute,
  type WeightedTarget,
} from "./route.ts";
export type { ServedPort, ServedProtocol, ServedService, WaypointSettings } from "./served.ts";
export type { AccessLogSettings, MetricOverride, TelemetrySettings, TracingSettings } from "./telemetry.ts";
