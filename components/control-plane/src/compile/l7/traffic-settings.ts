/** What the mesh configuration says about requests (reference: l7-and-cli §2.11). */

import type { ExternalAuthorizer, RetryPolicy, WaypointSettings } from "@meltemi/model/l7";

export type AccessLogFormat =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "json"; readonly labels: Readonly<Record<string, string>> };

/** A service that an extension provider names. */
export interface ProviderService {
  /** `[<namespace>/]<hostname>` */
  readonly namespace: string | undefined;
  readonly host: string;
  readonly port: number;
}

/** One of `extensionProviders`, as far as a waypoint has use for it. */
export type ExtensionProvider =
  | {
      readonly kind: "authorizer";
      readonly name: string;
      readonly service: ProviderService;
      readonly authorizer: Omit<ExternalAuthorizer, "name" | "cluster">;
    }
  | { readonly kind: "accessLog"; readonly name: string; readonly format: AccessLogFormat | undefined }
  | {
      readonly kind: "tracing";
      readonly name: string;
      readonly service: ProviderService;
      readonly protocol: "otlpHttp" | "zipkin";
      readonly path: string;
    };

export interface TrafficSettings {
  readonly pathNormalization: WaypointSettings["pathNormalization"];
  readonly trustDomainAliases: readonly string[];
  readonly defaultRetry: RetryPolicy;
  readonly connectTimeoutMs: number;
  /** `localityLbSetting.enabled`. */
  readonly locality: boolean;
  /** `accessLogFile` is set. */
  readonly accessLog: boolean;
  readonly accessLogFormat: AccessLogFormat;
  readonly providers: readonly ExtensionProvider[];
  /** `defaultProviders`. */
  readonly defaultTracing: readonly string[];
  readonly defaultAccessLogging: readonly string[];
  /** 0 to 100. */
  readonly traceSamplingPercent: number;
}

/** Istio's, whose field names users' log pipelines know. */
export const DEFAULT_TEXT_FORMAT: string =
  '[%START_TIME%] "%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%" %RESPONSE_CODE% %RESPONSE_FLAGS% ' +
  '%RESPONSE_CODE_DETAILS% %CONNECTION_TERMINATION_DETAILS% "%UPSTREAM_TRANSPORT_FAILURE_REASON%" %BYTES_RECEIVED% ' +
  '%BYTES_SENT% %DURATION% %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% "%REQ(X-FORWARDED-FOR)%" "%REQ(USER-AGENT)%" ' +
  '"%REQ(X-REQUEST-ID)%" "%REQ(:AUTHORITY)%" "%UPSTREAM_HOST%" %UPSTREAM_CLUSTER_RAW% %UPSTREAM_LOCAL_ADDRESS% ' +
  "%DOWNSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_REMOTE_ADDRESS% %REQUESTED_SERVER_NAME% %ROUTE_NAME%\n";

/**
 * One default for every route. Each of these says that the request did not reach the application, or that a gRPC server
 * says it may be repeated: a retry can do no harm. Istio has another default for routes that nobody wrote.
 */
export const DEFAULT_RETRY: RetryPolicy = {
  retries: 2,
  on: ["connect-failure", "refused-stream", "unavailable", "cancelled", "reset-before-request"],
  statusCodes: [],
  backoffBaseMs: 25,
  backoffMaxMs: 250,
  avoidPreviousHosts: true,
  otherLocalities: false,
};

export const DEFAULT_TRAFFIC: TrafficSettings = {
  pathNormalization: "base",
  trustDomainAliases: [],
  defaultRetry: DEFAULT_RETRY,
  connectTimeoutMs: 10_000,
  locality: true,
  accessLog: false,
  accessLogFormat: { kind: "text", text: DEFAULT_TEXT_FORMAT },
  providers: [],
  defaultTracing: [],
  defaultAccessLogging: [],
  traceSamplingPercent: 1,
};
