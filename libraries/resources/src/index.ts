export { customResourceDefinitions, gatewayApiDefinitions, istioDefinitions } from "./definitions.ts";
export {
  parseGrpcRoute,
  parseHttpRoute,
  parseTcpRoute,
  parseTlsRoute,
} from "./gateway-api/parse-route.ts";
export type {
  BackendRefSpec,
  FilterSpec,
  GRPCRouteSpec,
  GrpcRouteRuleSpec,
  HeaderModifierSpec,
  HTTPRouteSpec,
  HttpRouteRuleSpec,
  ParentRefSpec,
  PathModifierSpec,
  RouteCorsSpec,
  RouteMatchSpec,
  RouteRedirectSpec,
  StreamRouteSpec as GatewayStreamRouteSpec,
  ValueMatchSpec,
} from "./gateway-api/route-spec.ts";
export {
  type AuthorizationAction,
  type AuthorizationPolicy,
  parseAuthorizationPolicy,
} from "./istio/authorization-policy.ts";
export { parseDestinationRule } from "./istio/destination-rule.ts";
export type {
  ClientTlsSpec,
  ConnectionPoolSpec,
  ConsistentHashSpec,
  DestinationRuleSpec,
  LoadBalancerSpec,
  LocalityLbSpec,
  OutlierDetectionSpec,
  SubsetSpec,
  TrafficPolicySpec,
} from "./istio/destination-rule-spec.ts";
export {
  type MutualTlsMode,
  type PeerAuthentication,
  parsePeerAuthentication,
} from "./istio/peer-authentication.ts";
export {
  type KeySource,
  parseRequestAuthentication,
  type RequestAuthentication,
  type TokenRule,
} from "./istio/request-authentication.ts";
export type { PercentSpec, StringMatchSpec } from "./istio/routing-parts.ts";
export {
  parseServiceEntry,
  type ServiceEntry,
  type ServiceEntryBackends,
  type ServiceEntryPort,
  type ServiceResolution,
} from "./istio/service-entry.ts";
export type { PolicyTarget, TargetRef } from "./istio/target.ts";
export {
  type AccessLoggingSpec,
  type MetricOverrideSpec,
  type MetricsSpec,
  parseTelemetry,
  type Telemetry,
  type TelemetrySpec,
  type TracingSpec,
} from "./istio/telemetry.ts";
export { parseVirtualService } from "./istio/virtual-service.ts";
export type {
  CorsPolicySpec,
  DestinationSpec,
  HeaderOperationsSpec,
  HeadersSpec,
  HttpDestinationSpec,
  HttpFaultSpec,
  HttpMatchSpec,
  HttpRedirectSpec,
  HttpRetrySpec,
  HttpRewriteSpec,
  HttpRouteSpec,
  StreamMatchSpec,
  StreamRouteSpec,
  VirtualServiceSpec,
} from "./istio/virtual-service-spec.ts";
export { type EntryEndpoint, parseWorkloadEntry, type WorkloadEntry } from "./istio/workload-entry.ts";
export {
  type LimitKey,
  type LimitOperation,
  type LimitSpec,
  parseRateLimitPolicy,
  type RateLimitPolicy,
} from "./meltemi/rate-limit-policy.ts";
export type { Metadata } from "./metadata.ts";
export type { Stored } from "./parse-object.ts";
export { formatProblems, type Parsed, type Problem } from "./problem.ts";
