/**
 * What the control plane tells a waypoint, beside workloads and services: one resource per service that is bound to it, and one
 * of settings. Each is complete: a waypoint swaps it in one assignment, and names in it refer to nothing outside.
 */

import type { NamespacedHostname } from "../workload.ts";
import type { Cluster } from "./cluster.ts";
import type { ExternalAuthorizer, JwtRule, RateLimit, RequestPolicy } from "./policy.ts";
import type { HttpRoute, RetryPolicy, TcpRoute } from "./route.ts";
import type { TelemetrySettings } from "./telemetry.ts";

/** How a port's bytes are read: as its Service declares, or by looking (`sniff`). */
export type ServedProtocol = "http" | "tcp" | "tls" | "sniff";

export interface ServedPort {
  readonly port: number;
  readonly protocol: ServedProtocol;
  /** First match wins. Without any, everything goes to `cluster`; with some and no match, 404. */
  readonly httpRoutes: readonly HttpRoute[];
  readonly tcpRoutes: readonly TcpRoute[];
  /** Name of the cluster that is the service itself at this port. */
  readonly cluster: string;
}

/** A service that is bound to the waypoint. */
export interface ServedService extends NamespacedHostname {
  readonly ports: readonly ServedPort[];
  /** All that the routes name. */
  readonly clusters: readonly Cluster[];
  readonly jwtRules: readonly JwtRule[];
  /** Those of the service and those of the waypoint, one pool. */
  readonly policies: readonly RequestPolicy[];
  readonly rateLimits: readonly RateLimit[];
  readonly telemetry: TelemetrySettings;
}

export interface WaypointSettings {
  readonly trafficType: "service" | "workload" | "all" | "none";
  readonly trustDomain: string;
  readonly trustDomainAliases: readonly string[];
  readonly pathNormalization: "none" | "base" | "mergeSlashes" | "decodeAndMergeSlashes";
  /** For routes that set none. */
  readonly defaultRetry: RetryPolicy;
  /** `x-forwarded-client-cert` carries the client's identity. */
  readonly forwardClientIdentity: boolean;
  /** For traffic addressed to workloads: policies, tokens, limits and telemetry of the waypoint itself. */
  readonly jwtRules: readonly JwtRule[];
  readonly policies: readonly RequestPolicy[];
  readonly rateLimits: readonly RateLimit[];
  readonly telemetry: TelemetrySettings;
  readonly authorizers: readonly ExternalAuthorizer[];
  /** Of authorizers, global rate limits and trace collectors. */
  readonly clusters: readonly Cluster[];
}
