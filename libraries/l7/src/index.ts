export type { LocalitySource } from "./balance/locality.ts";
export type { Ejection } from "./balance/outlier-detector.ts";
export { buildFilters, type FilterDeps, type FilterInput } from "./filters/build-filters.ts";
export { buildConnectionAuthorizer } from "./filters/connection-authorizer.ts";
export { FilterMemory } from "./filters/filter-memory.ts";
export { FilterMeter } from "./filters/filter-meter.ts";
export { HeldBytes } from "./proxy/held-body.ts";
export { createHttpProxy, type HttpProxy, type HttpProxyDeps } from "./proxy/http-proxy.ts";
export type {
  RequestObserver,
  RequestRecord,
  RequestSpan,
  RequestTracer,
  UpstreamRecord,
} from "./proxy/request-record.ts";
export type { HttpSite } from "./proxy/site.ts";
export type {
  Caller,
  Cancellation,
  FilterVerdict,
  LocalReply,
  RequestContext,
  RequestFilter,
  VerifiedToken,
} from "./request-context.ts";
export { compileRoutes, type RouteProblem, type RouteTable } from "./routing/route-table.ts";
export {
  createPortServer,
  type PortServer,
  type PortServerDeps,
  type PortServerOptions,
  type PortSite,
} from "./serve/port-server.ts";
export { createTcpProxy, type TcpProxy, type TcpProxyDeps } from "./tcp/tcp-proxy.ts";
export { compileTcpRoutes, type TcpRouteTable } from "./tcp/tcp-routes.ts";
export type { ClientConnectionFacts, LiveTcp, TcpObserver, TcpRecord, TcpSite } from "./tcp/tcp-site.ts";
export {
  createTelemetry,
  type ServiceTelemetry,
  type Telemetry,
  type TelemetryDeps,
} from "./telemetry/telemetry.ts";
export type { TelemetryNode } from "./telemetry/telemetry-node.ts";
export type { PostSpans } from "./telemetry/tracing/tracing.ts";
export { RegexCache } from "./text/regex.ts";
export type { DialFailure } from "./upstream/endpoint-pool.ts";
export { LiveCluster, type LiveClusterDeps, type MeshView } from "./upstream/live-cluster.ts";
export type { DialEndpoint, EndpointAddress, SpokenProtocol } from "./upstream/live-endpoint.ts";
