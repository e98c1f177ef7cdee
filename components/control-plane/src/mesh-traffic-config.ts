/** The parts of the mesh's configuration that are about requests (reference: l7-and-cli §2.1, §2.11, §5.5, §5.6). */

import { MeshError, parseDurationMs } from "@meltemi/runtime";
import { retryPolicy } from "./compile/l7/retry.ts";
import {
  type AccessLogFormat,
  DEFAULT_TEXT_FORMAT,
  DEFAULT_TRAFFIC,
  type ExtensionProvider,
  type ProviderService,
  type TrafficSettings,
} from "./compile/l7/traffic-settings.ts";

type Fields = Readonly<Record<string, unknown>>;

/** Providers that may be named; each costs every waypoint a cluster. */
const MAX_PROVIDERS = 256;
/** Istio's: whoever wants it shorter says so. */
const AUTHORIZER_TIMEOUT_MS = 600_000;

/** Throws CONFIG_INVALID for a value that cannot be what it is to be: a mesh must not run on half of its configuration. */
export function readTrafficSettings(mesh: Fields): TrafficSettings {
  const locality = fieldsAt(mesh, "localityLbSetting");
  const defaults = fieldsAt(mesh, "defaultProviders");
  const proxy = fieldsAt(mesh, "defaultConfig");
  const retry = mesh["defaultHttpRetryPolicy"];
  return {
    pathNormalization: readPathNormalization(textAt(fieldsAt(mesh, "pathNormalization"), "normalization")),
    trustDomainAliases: textList(mesh, "trustDomainAliases"),
    defaultRetry: isFields(retry) ? retryPolicy(readRetry(retry)) : DEFAULT_TRAFFIC.defaultRetry,
    connectTimeoutMs: durationAt(mesh, "connectTimeout") || DEFAULT_TRAFFIC.connectTimeoutMs,
    locality: locality["enabled"] !== false,
    accessLog: (textAt(mesh, "accessLogFile") ?? "") !== "",
    accessLogFormat: readFormat(textAt(mesh, "accessLogEncoding"), textAt(mesh, "accessLogFormat") ?? ""),
    providers: readProviders(mesh["extensionProviders"]),
    defaultTracing: textList(defaults, "tracing"),
    defaultAccessLogging: textList(defaults, "accessLogging"),
    traceSamplingPercent:
      numberAt(fieldsAt(proxy, "tracing"), "sampling", 0, 100) ?? DEFAULT_TRAFFIC.traceSamplingPercent,
  };
}

function readPathNormalization(text: string | undefined): TrafficSettings["pathNormalization"] {
  switch (text) {
    case undefined:
    case "DEFAULT":
    case "BASE":
      return "base";
    case "NONE":
      return "none";
    case "MERGE_SLASHES":
      return "mergeSlashes";
    case "DECODE_AND_MERGE_SLASHES":
      return "decodeAndMergeSlashes";
    default:
      throw invalid(
        "pathNormalization.normalization",
        text,
        "DEFAULT, BASE, NONE, MERGE_SLASHES or DECODE_AND_MERGE_SLASHES",
      );
  }
}

function readRetry(retry: Fields): Parameters<typeof retryPolicy>[0] {
  const attempts = numberAt(retry, "attempts", 0, 1_000_000);
  const retryOn = textAt(retry, "retryOn");
  const perTryTimeout = textAt(retry, "perTryTimeout");
  const backoff = textAt(retry, "backoff");
  durationAt(retry, "perTryTimeout");
  durationAt(retry, "backoff");
  return {
    ...(attempts !== undefined && { attempts }),
    ...(retryOn && { retryOn }),
    ...(perTryTimeout && { perTryTimeout }),
    ...(backoff && { backoff }),
    retryRemoteLocalities: retry["retryRemoteLocalities"] === true,
    retryIgnorePreviousHosts: retry["retryIgnorePreviousHosts"] !== false,
  };
}

/** Keys of Istio's log lines in JSON, by what each holds. */
const JSON_FORMAT: Readonly<Record<string, string>> = {
  start_time: "%START_TIME%",
  route_name: "%ROUTE_NAME%",
  method: "%REQ(:METHOD)%",
  path: "%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%",
  protocol: "%PROTOCOL%",
  response_code: "%RESPONSE_CODE%",
  response_flags: "%RESPONSE_FLAGS%",
  response_code_details: "%RESPONSE_CODE_DETAILS%",
  connection_termination_details: "%CONNECTION_TERMINATION_DETAILS%",
  bytes_received: "%BYTES_RECEIVED%",
  bytes_sent: "%BYTES_SENT%",
  duration: "%DURATION%",
  upstream_service_time: "%RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)%",
  x_forwarded_for: "%REQ(X-FORWARDED-FOR)%",
  user_agent: "%REQ(USER-AGENT)%",
  request_id: "%REQ(X-REQUEST-ID)%",
  authority: "%REQ(:AUTHORITY)%",
  upstream_host: "%UPSTREAM_HOST%",
  upstream_cluster: "%UPSTREAM_CLUSTER_RAW%",
  upstream_local_address: "%UPSTREAM_LOCAL_ADDRESS%",
  downstream_local_address: "%DOWNSTREAM_LOCAL_ADDRESS%",
  downstream_remote_address: "%DOWNSTREAM_REMOTE_ADDRESS%",
  requested_server_name: "%REQUESTED_SERVER_NAME%",
  upstream_transport_failure_reason: "%UPSTREAM_TRANSPORT_FAILURE_REASON%",
};

function readFormat(encoding: string | undefined, format: string): AccessLogFormat {
  if (encoding !== "JSON") return { kind: "text", text: format === "" ? DEFAULT_TEXT_FORMAT : format };
  if (format === "") return { kind: "json", labels: JSON_FORMAT };
  let value: unknown;
  try {
    value = JSON.parse(format);
  } catch {
    throw invalid("accessLogFormat", format, "a JSON object, since accessLogEncoding is JSON");
  }
  return { kind: "json", labels: labelsOf("accessLogFormat", value) };
}

function labelsOf(where: string, value: unknown): Readonly<Record<string, string>> {
  if (!isFields(value)) throw invalid(where, value, "an object of texts");
  const entries = Object.entries(value);
  if (!entries.every(([, text]) => typeof text === "string"))
    throw invalid(where, value, "an object of texts");
  return Object.fromEntries(entries) as Readonly<Record<string, string>>;
}

function readProviders(value: unknown): readonly ExtensionProvider[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value) || value.length > MAX_PROVIDERS)
    throw invalid("extensionProviders", value, `a list of at most ${MAX_PROVIDERS}`);
  return (value as readonly unknown[]).flatMap((provider, index) => {
    const where = `extensionProviders[${index}]`;
    const name = isFields(provider) ? textAt(provider, "name") : undefined;
    if (!isFields(provider) || name === undefined || name === "")
      throw invalid(where, provider, "an object with a name");
    return readProvider(name, provider, where) ?? [];
  });
}

/** Undefined for a provider that a waypoint has no use for: a policy that names it finds none. */
function readProvider(name: string, provider: Fields, where: string): ExtensionProvider | undefined {
  const http = provider["envoyExtAuthzHttp"];
  if (isFields(http)) return readAuthorizer(name, "http", http, `${where}.envoyExtAuthzHttp`);
  const grpc = provider["envoyExtAuthzGrpc"];
  if (isFields(grpc)) return readAuthorizer(name, "grpc", grpc, `${where}.envoyExtAuthzGrpc`);
  const file = provider["envoyFileAccessLog"];
  if (isFields(file)) return { kind: "accessLog", name, format: readFileFormat(file, where) };
  const telemetry = provider["opentelemetry"];
  if (isFields(telemetry)) {
    const path = textAt(fieldsAt(telemetry, "http"), "path") ?? "/v1/traces";
    const service = serviceOf(telemetry, `${where}.opentelemetry`);
    return { kind: "tracing", name, service, protocol: "otlpHttp", path };
  }
  const zipkin = provider["zipkin"];
  if (!isFields(zipkin)) return undefined;
  const path = textAt(zipkin, "path") ?? "/api/v2/spans";
  return { kind: "tracing", name, service: serviceOf(zipkin, `${where}.zipkin`), protocol: "zipkin", path };
}

function readFileFormat(file: Fields, where: string): AccessLogFormat | undefined {
  const format = fieldsAt(file, "logFormat");
  const text = textAt(format, "text");
  if (text !== undefined) return { kind: "text", text };
  const labels = format["labels"];
  if (labels === undefined) return undefined;
  return { kind: "json", labels: labelsOf(`${where}.envoyFileAccessLog.logFormat.labels`, labels) };
}

/** RFC 9110 §5.1. */
const HEADER_NAME = /^[-!#$%&'*+.^_`|~0-9A-Za-z]{1,1024}$/;
/** `name`, `prefix*` or `*suffix`. */
const HEADER_PATTERN = /^\*?[-!#$%&'+.^_`|~0-9A-Za-z]{1,1022}\*?$/;

function readAuthorizer(
  name: string,
  protocol: "http" | "grpc",
  fields: Fields,
  where: string,
): ExtensionProvider {
  const headers = (key: string): readonly string[] =>
    textList(fields, key).map((header) => {
      if (!HEADER_PATTERN.test(header))
        throw invalid(`${where}.${key}`, header, "a header name with at most one * at an end");
      return header.toLowerCase();
    });
  const older = headers("includeHeadersInCheck");
  const newer = headers("includeRequestHeadersInCheck");
  const additional = fieldsAt(fields, "includeAdditionalHeadersInCheck");
  const body = fields["includeRequestBodyInCheck"];
  return {
    kind: "authorizer",
    name,
    service: serviceOf(fields, where),
    authorizer: {
      protocol,
      timeoutMs: durationAt(fields, "timeout") || AUTHORIZER_TIMEOUT_MS,
      pathPrefix: textAt(fields, "pathPrefix") ?? "",
      failOpen: fields["failOpen"] === true,
      statusOnError: readStatus(fields["statusOnError"], `${where}.statusOnError`),
      clearRouteCache: fields["clearRouteCache"] === true,
      includeRequestHeaders: newer.length > 0 ? newer : older,
      includeAdditionalHeaders: Object.entries(labelsOf(where, additional)).map(([header, value]) => {
        if (!HEADER_NAME.test(header) || /[\r\n\0]/.test(value))
          throw invalid(
            `${where}.includeAdditionalHeadersInCheck`,
            header,
            "header names with values of one line",
          );
        return [header.toLowerCase(), value] as const;
      }),
      ...(isFields(body) && { includeBody: readBody(body) }),
      headersToUpstreamOnAllow: headers("headersToUpstreamOnAllow"),
      headersToDownstreamOnDeny: headers("headersToDownstreamOnDeny"),
      headersToDownstreamOnAllow: headers("headersToDownstreamOnAllow"),
    },
  };
}

type Body = NonNullable<Extract<ExtensionProvider, { kind: "authorizer" }>["authorizer"]["includeBody"]>;

/** No larger than what the waypoint itself may hold of one body. */
const MAX_CHECKED_BODY_BYTES = 64 * 1024 * 1024;

function readBody(body: Fields): Body {
  return {
    maxBytes: numberAt(body, "maxRequestBytes", 0, MAX_CHECKED_BODY_BYTES) ?? 0,
    allowPartial: body["allowPartialMessage"] === true,
    asBytes: body["packAsBytes"] === true,
  };
}

function readStatus(value: unknown, where: string): number {
  if (value === undefined || value === null || value === "") return 403;
  const status = Number(value);
  if (Number.isInteger(status) && status >= 200 && status <= 599) return status;
  throw invalid(where, value, "a status from 200 to 599");
}

/** `[<namespace>/]<hostname>`. */
function serviceOf(fields: Fields, where: string): ProviderService {
  const text = textAt(fields, "service") ?? "";
  const slash = text.indexOf("/");
  const host = text.slice(slash + 1).toLowerCase();
  const port = numberAt(fields, "port", 1, 65_535);
  if (host === "" || port === undefined) throw invalid(where, fields, "a service and a port");
  return { namespace: slash < 0 ? undefined : text.slice(0, slash), host, port };
}

function durationAt(fields: Fields, name: string): number | undefined {
  const text = textAt(fields, name);
  if (text === undefined || text === "") return undefined;
  const ms = parseDurationMs(text);
  if (ms === undefined) throw invalid(name, text, "a duration such as 5s");
  return Math.ceil(ms);
}

function numberAt(fields: Fields, name: string, min: number, max: number): number | undefined {
  const value = fields[name];
  if (value === undefined || value === null) return undefined;
  if (typeof value === "number" && value >= min && value <= max) return value;
  throw invalid(name, value, `a number from ${min} to ${max}`);
}

function textList(fields: Fields, name: string): readonly string[] {
  const value = fields[name];
  if (value === undefined || value === null) return [];
  if (Array.isArray(value) && value.every((text) => typeof text === "string")) return value;
  throw invalid(name, value, "a list of texts");
}

function textAt(fields: Fields, name: string): string | undefined {
  const value = fields[name];
  if (value === undefined || value === null) return undefined;
  if (typeof value === "string") return value;
  throw invalid(name, value, "text");
}

function fieldsAt(fields: Fields, name: string): Fields {
  const value = fields[name];
  if (value === undefined || value === null) return {};
  if (isFields(value)) return value;
  throw invalid(name, value, "a map");
}

function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function invalid(where: string, value: unknown, expected: string): MeshError {
  const got = (JSON.stringify(value) ?? "nothing").slice(0, 80);
  return new MeshError(
    "CONFIG_INVALID",
    `read mesh configuration: ${where}: expected ${expected}, got ${got}`,
  );
}
