/** Envoy's command operators over what a waypoint knows of requests and connections (reference: l7-and-cli §5.5). */

import type { RequestRecord } from "../../proxy/request-record.ts";
import type { TcpRecord } from "../../tcp/tcp-site.ts";
import { compileExpression } from "../attributes/expression.ts";
import { REQUEST_ATTRIBUTES } from "../attributes/request-attributes.ts";
import { TCP_ATTRIBUTES } from "../attributes/tcp-attributes.ts";
import { readTrace } from "../tracing/propagation.ts";
import { ADDRESS_OPERATORS } from "./address-operators.ts";
import { grpcStatusText } from "./grpc-status-text.ts";
import { alternatives, requestHeader, responseHeader, responseTrailer } from "./header-operators.ts";
import { compileTimeFormat, createIsoTime, type TimeText } from "./start-time.ts";

/** Undefined: `-` in text, null in JSON. */
export type LogValue = string | number | undefined;

export interface Operator {
  readonly http: (record: RequestRecord) => LogValue;
  readonly tcp: (record: TcpRecord) => LogValue;
}

export type OperatorOutcome =
  | { readonly kind: "ok"; readonly operator: Operator }
  | { readonly kind: "bad"; readonly why: string };

const nothing = (): undefined => undefined;
const NOTHING: Operator = { http: nothing, tcp: nothing };

/** Of every record. */
function shared(value: (record: RequestRecord | TcpRecord) => LogValue): Operator {
  return { http: value, tcp: value };
}

function httpOnly(http: Operator["http"]): Operator {
  return { http, tcp: nothing };
}

/** Undefined for an empty text; without spaces, which would look like the next field. */
function joined(text: string): string | undefined {
  return text === "" ? undefined : text.replaceAll(" ", "_");
}

const PLAIN: ReadonlyMap<string, Operator> = new Map<string, Operator>([
  ["PROTOCOL", httpOnly(({ context }) => context.request.version)],
  ["RESPONSE_CODE", { http: (record) => record.responseCode, tcp: () => 0 }],
  ["RESPONSE_CODE_DETAILS", httpOnly(({ responseCodeDetails }) => joined(responseCodeDetails))],
  ["RESPONSE_FLAGS", shared(({ responseFlags }) => responseFlags.join(",") || undefined)],
  ["CONNECTION_TERMINATION_DETAILS", { http: nothing, tcp: ({ details }) => joined(details) }],
  ["UPSTREAM_TRANSPORT_FAILURE_REASON", shared(({ upstreamFailure }) => joined(upstreamFailure))],
  ["BYTES_RECEIVED", { http: (record) => record.requestBytes, tcp: (record) => record.receivedBytes }],
  ["BYTES_SENT", { http: (record) => record.responseBytes, tcp: (record) => record.sentBytes }],
  ["DURATION", shared(({ durationMs }) => Math.floor(durationMs))],
  ["ROUTE_NAME", httpOnly(({ routeName }) => routeName || undefined)],
  ["UPSTREAM_REQUEST_ATTEMPT_COUNT", httpOnly(({ attempts }) => attempts)],
  ["TRACE_ID", httpOnly(({ context }) => readTrace(context.request.headers).parent?.traceId)],
  ["STREAM_ID", httpOnly(({ context }) => context.request.headers.get("x-request-id"))],
  ...ADDRESS_OPERATORS,
]);

/** Envoy's, but of what a waypoint does not know. */
const UNAVAILABLE: ReadonlySet<string> = new Set([
  "UPSTREAM_LOCAL_ADDRESS",
  "UPSTREAM_LOCAL_ADDRESS_WITHOUT_PORT",
  "UPSTREAM_LOCAL_PORT",
  "UPSTREAM_TLS_VERSION",
  "UPSTREAM_TLS_CIPHER",
  "UPSTREAM_TLS_SESSION_ID",
  "UPSTREAM_PEER_SUBJECT",
  "UPSTREAM_PEER_URI_SAN",
  "UPSTREAM_LOCAL_URI_SAN",
  "DOWNSTREAM_TLS_VERSION",
  "DOWNSTREAM_TLS_CIPHER",
  "DOWNSTREAM_TLS_SESSION_ID",
  "DOWNSTREAM_PEER_SUBJECT",
  "DOWNSTREAM_PEER_CERT",
  "DOWNSTREAM_LOCAL_URI_SAN",
  "DOWNSTREAM_LOCAL_SUBJECT",
  "DOWNSTREAM_TRANSPORT_FAILURE_REASON",
  "CONNECTION_ID",
  "ENVIRONMENT",
  "FILTER_CHAIN_NAME",
  "FILTER_STATE",
  "UPSTREAM_FILTER_STATE",
  "UPSTREAM_METADATA",
  "METADATA",
  "VIRTUAL_CLUSTER_NAME",
  "REQUEST_DURATION",
  "REQUEST_TX_DURATION",
  "RESPONSE_TX_DURATION",
]);

/** `hostname`: of the waypoint. */
export function compileOperator(
  name: string,
  argument: string | undefined,
  hostname: string,
): OperatorOutcome {
  const plain = PLAIN.get(name);
  if (plain !== undefined) return { kind: "ok", operator: plain };
  if (UNAVAILABLE.has(name)) return { kind: "ok", operator: NOTHING };
  switch (name) {
    case "HOSTNAME":
      return { kind: "ok", operator: shared(() => hostname) };
    case "START_TIME":
      return startTime(argument);
    case "REQ":
    case "REQ_WITHOUT_QUERY":
    case "RESP":
    case "TRAILER":
      return header(name, argument);
    case "GRPC_STATUS":
    case "GRPC_STATUS_NUMBER":
      return grpcStatus(name, argument);
    case "DYNAMIC_METADATA":
      return dynamicMetadata(argument);
    case "CEL":
      return cel(argument ?? "");
    default:
      return { kind: "bad", why: `log format: there is no command operator %${name}%` };
  }
}

function bad(name: string, argument: string | undefined, expected: string): OperatorOutcome {
  return { kind: "bad", why: `log format: %${name}(${argument ?? ""})%: expected ${expected}` };
}

function startTime(argument: string | undefined): OperatorOutcome {
  const text: TimeText | undefined = argument ? compileTimeFormat(argument) : createIsoTime();
  if (text === undefined) return bad("START_TIME", argument, "specifiers of strftime");
  return { kind: "ok", operator: shared(({ startedAtMs }) => text(startedAtMs)) };
}

function header(
  name: "REQ" | "REQ_WITHOUT_QUERY" | "RESP" | "TRAILER",
  argument: string | undefined,
): OperatorOutcome {
  const names = alternatives(argument ?? "");
  if (names === undefined) return bad(name, argument, "one name of a header, or two with ? between them");
  const [first, second] = names;
  const one = {
    REQ: requestHeader,
    REQ_WITHOUT_QUERY: requestHeader,
    RESP: responseHeader,
    TRAILER: responseTrailer,
  }[name];
  const main = one(first);
  const other = second === undefined ? nothing : one(second);
  const value: Operator["http"] = (record) => main(record) ?? other(record);
  if (name !== "REQ_WITHOUT_QUERY") return { kind: "ok", operator: httpOnly(value) };
  return { kind: "ok", operator: httpOnly((record) => withoutQuery(value(record))) };
}

function withoutQuery(value: LogValue): LogValue {
  if (typeof value !== "string") return value;
  const cut = value.indexOf("?");
  return cut < 0 ? value : value.slice(0, cut);
}

function grpcStatus(name: string, argument: string | undefined): OperatorOutcome {
  const text = grpcStatusText(name === "GRPC_STATUS_NUMBER" ? "NUMBER" : (argument ?? "CAMEL_STRING"));
  if (text === undefined) return bad(name, argument, "CAMEL_STRING, SNAKE_STRING or NUMBER");
  return { kind: "ok", operator: httpOnly(text) };
}

/** What one list or object in metadata may take of a line. */
const MAX_METADATA_LENGTH = 4096;

function dynamicMetadata(argument: string | undefined): OperatorOutcome {
  const [filter = "", ...keys] = (argument ?? "").split(":");
  if (filter === "") return bad("DYNAMIC_METADATA", argument, "the name of a filter, and keys behind colons");
  return {
    kind: "ok",
    operator: httpOnly(({ context }) => {
      let value: unknown = context.metadata.get(filter);
      for (const key of keys) value = ownValue(value, key);
      if (value === undefined || value === null) return undefined;
      if (typeof value === "string" || typeof value === "number") return value;
      return JSON.stringify(value)?.slice(0, MAX_METADATA_LENGTH);
    }),
  };
}

function ownValue(value: unknown, key: string): unknown {
  if (typeof value !== "object" || value === null || !Object.hasOwn(value, key)) return undefined;
  return (value as Readonly<Record<string, unknown>>)[key];
}

function cel(text: string): OperatorOutcome {
  const outcome = compileExpression(text);
  if (outcome.kind === "bad") return outcome;
  const ofRequest = outcome.expression.bind(REQUEST_ATTRIBUTES);
  const ofConnection = outcome.expression.bind(TCP_ATTRIBUTES);
  return {
    kind: "ok",
    operator: {
      http: (record) => celValue(ofRequest(record)),
      tcp: (record) => celValue(ofConnection(record)),
    },
  };
}

function celValue(value: unknown): LogValue {
  if (typeof value === "string" || typeof value === "number") return value;
  return typeof value === "bigint" || typeof value === "boolean" ? String(value) : undefined;
}
