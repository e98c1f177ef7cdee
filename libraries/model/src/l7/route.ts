/** Routes of one service port, compiled from VirtualService, HTTPRoute, GRPCRoute, TCPRoute and TLSRoute into one form. */

import type { RequestMatch, SourceMatch, TextMatch } from "./match.ts";

/** The object that a route or a policy was made from; for status, logs and `describe`. */
export interface Origin {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
}

/** Removals first, then `set` (replaces), then `add` (appends). Names in lower case. */
export interface HeaderEdit {
  readonly set: readonly (readonly [name: string, value: string])[];
  readonly add: readonly (readonly [name: string, value: string])[];
  readonly remove: readonly string[];
}

/** What becomes of the path. The query is kept. */
export type PathRewrite =
  | { readonly kind: "full"; readonly value: string }
  /** Replaces what a prefix match of the matching rule matched; the whole path where it was no prefix match. */
  | { readonly kind: "prefix"; readonly value: string }
  /** RE2; `\1` to `\9` in the substitution. */
  | { readonly kind: "regex"; readonly pattern: string; readonly substitution: string };

export interface Rewrite {
  readonly path?: PathRewrite;
  readonly authority?: string;
}

/** Where a share of the requests goes. */
export type RouteTarget =
  /** Name of an {@link import("./cluster.ts").Cluster} of the same served service. */
  | { readonly kind: "cluster"; readonly cluster: string }
  /** The backend does not exist or may not be used: its share is answered with 500. */
  | { readonly kind: "invalid"; readonly detail: string };

export interface WeightedTarget {
  readonly target: RouteTarget;
  /** Relative to the sum; zero takes nothing. All zero: every request is answered with 500. */
  readonly weight: number;
  readonly requestHeaders?: HeaderEdit;
  readonly responseHeaders?: HeaderEdit;
}

/** Envoy's conditions, which VirtualService `retryOn` names. */
export const RETRY_CONDITIONS = [
  "5xx",
  "gateway-error",
  "reset",
  "reset-before-request",
  "connect-failure",
  "refused-stream",
  "envoy-ratelimited",
  "retriable-4xx",
  "retriable-status-codes",
  "retriable-headers",
  "http3-post-connect-failure",
  "cancelled",
  "deadline-exceeded",
  "internal",
  "resource-exhausted",
  "unavailable",
] as const;

export type RetryCondition = (typeof RETRY_CONDITIONS)[number];

export interface RetryPolicy {
  /** Beyond the first try; zero disables. */
  readonly retries: number;
  readonly on: readonly RetryCondition[];
  readonly statusCodes: readonly number[];
  readonly perTryTimeoutMs?: number;
  readonly backoffBaseMs: number;
  readonly backoffMaxMs: number;
  readonly avoidPreviousHosts: boolean;
  readonly otherLocalities: boolean;
}

/** A copy of the request whose answer nobody reads. */
export interface Mirror {
  readonly cluster: string;
  /** 0 to 100. */
  readonly percent: number;
}

export interface CorsPolicy {
  readonly allowOrigins: readonly TextMatch[];
  readonly allowMethods: readonly string[];
  readonly allowHeaders: readonly string[];
  readonly exposeHeaders: readonly string[];
  readonly maxAgeSeconds?: number;
  readonly allowCredentials: boolean;
  /** A preflight whose origin does not match: to the service, or answered here with 200 and no CORS headers. */
  readonly unmatchedPreflights: "forward" | "ignore";
}

export interface Fault {
  readonly delay?: { readonly durationMs: number; readonly percent: number };
  readonly abort?: {
    readonly status:
      | { readonly kind: "http"; readonly code: number }
      | { readonly kind: "grpc"; readonly code: number };
    readonly percent: number;
  };
}

export interface Forward {
  readonly kind: "forward";
  readonly targets: readonly WeightedTarget[];
  readonly rewrite?: Rewrite;
  /** Absent: none. */
  readonly timeoutMs?: number;
  /** Absent: the mesh's default. */
  readonly retry?: RetryPolicy;
  readonly mirrors: readonly Mirror[];
}

export interface Redirect {
  readonly kind: "redirect";
  readonly status: 301 | 302 | 303 | 307 | 308;
  readonly scheme?: string;
  readonly authority?: string;
  /** Absent: none is written. */
  readonly port?: number | "fromScheme" | "fromRequest";
  readonly path?: PathRewrite;
}

export interface DirectResponse {
  readonly kind: "respond";
  readonly status: number;
  /** UTF-8. */
  readonly body: string;
}

export interface HttpRoute {
  /** For the access log. */
  readonly name: string;
  readonly origin?: Origin;
  /** Any of these; none means every request. */
  readonly matches: readonly RequestMatch[];
  readonly action: Forward | Redirect | DirectResponse;
  readonly requestHeaders?: HeaderEdit;
  readonly responseHeaders?: HeaderEdit;
  readonly cors?: CorsPolicy;
  readonly fault?: Fault;
}

/** Bytes that are not HTTP, or are not to be read. */
export interface TcpRoute {
  readonly name: string;
  readonly origin?: Origin;
  /** Any of these; none means every connection. */
  readonly matches: readonly TcpMatch[];
  readonly targets: readonly WeightedTarget[];
}

export interface TcpMatch {
  /** CIDR blocks of the original destination; none: any. */
  readonly destinationSubnets: readonly string[];
  readonly source?: SourceMatch;
  /** Names of the TLS ClientHello, exact or `*.suffix`; none: any connection, TLS or not. */
  readonly sniHosts: readonly string[];
}
