/** VirtualService, networking.istio.io/v1: its schema (reference: l7-and-cli §2.4). */

import { parseStored, type Stored } from "../parse-object.ts";
import type { Parsed } from "../problem.ts";
import {
  decimal,
  type Fields,
  flag,
  has,
  integer,
  type ListSchema,
  list,
  map,
  type ObjectSchema,
  object,
  oneOf,
  type Rule,
  text,
} from "../schema/schema.ts";
import { isAddressBlock } from "./addresses.ts";
import {
  atMostOne,
  DURATION,
  FIELD_NAME_KEYS,
  LINES,
  line,
  NAME,
  NAMES,
  PORT,
  STRING_MATCH,
  TEXT_MAP,
  UINT32,
} from "./routing-parts.ts";
import type { VirtualServiceSpec } from "./virtual-service-spec.ts";

const DESTINATION: ObjectSchema = object(
  { host: NAME, subset: NAME, port: object({ number: PORT }) },
  { required: ["host"] },
);
/** A field name of HTTP, or a pseudo header: other text could end the head that it is written into. */
const HEADER_NAME = text({ minLength: 1, maxLength: 1024, pattern: "^:?[-!#$%&'*+.^_`|~0-9A-Za-z]+$" });

const HEADER_VALUES: Rule<Fields> = {
  message: "must hold header names, and values without CR, LF and NUL",
  holds: (values) =>
    Object.entries(values).every(
      ([name, value]) => /^:?[-!#$%&'*+.^_`|~0-9A-Za-z]+$/.test(name) && !/[\r\n\0]/.test(String(value)),
    ),
};
const HEADER_MAP = { ...TEXT_MAP, rules: [HEADER_VALUES] };

const HEADER_OPERATIONS: ObjectSchema = object({
  set: HEADER_MAP,
  add: HEADER_MAP,
  remove: list(HEADER_NAME, { maxItems: 1024 }),
});
const HEADERS: ObjectSchema = object({ request: HEADER_OPERATIONS, response: HEADER_OPERATIONS });
const PERCENT: ObjectSchema = object({ value: decimal(0, 100) });
const MATCH_MAP = map(STRING_MATCH, { maxProperties: 256 });
const HEADER_MATCHES = { ...MATCH_MAP, rules: [FIELD_NAME_KEYS] };

const HTTP_MATCH: ObjectSchema = object({
  name: text(),
  uri: STRING_MATCH,
  scheme: STRING_MATCH,
  method: STRING_MATCH,
  authority: STRING_MATCH,
  headers: HEADER_MATCHES,
  withoutHeaders: HEADER_MATCHES,
  queryParams: MATCH_MAP,
  port: PORT,
  ignoreUriCase: flag(),
  sourceLabels: TEXT_MAP,
  sourceNamespace: text(),
  gateways: NAMES,
  statPrefix: text(),
});

const REDIRECT: ObjectSchema = object(
  {
    uri: line(16 * 1024),
    prefixRewrite: line(16 * 1024),
    authority: line(1024),
    port: UINT32,
    derivePort: oneOf("FROM_PROTOCOL_DEFAULT", "FROM_REQUEST_PORT"),
    scheme: text({ maxLength: 64, pattern: "^$|^[a-zA-Z][-+.a-zA-Z0-9]*$" }),
    redirectCode: UINT32,
  },
  { rules: [atMostOne("port", "derivePort"), atMostOne("uri", "prefixRewrite")] },
);

const RETRIES: ObjectSchema = object({
  attempts: integer({ min: 0, max: 1_000_000 }),
  perTryTimeout: DURATION,
  retryOn: text({ maxLength: 4096 }),
  retryRemoteLocalities: flag(),
  retryIgnorePreviousHosts: flag(),
  backoff: DURATION,
});

const FAULT: ObjectSchema = object({
  delay: object({
    fixedDelay: DURATION,
    exponentialDelay: DURATION,
    percentage: PERCENT,
    percent: integer({ min: 0, max: 100 }),
  }),
  abort: object(
    {
      httpStatus: integer({ min: 200, max: 599 }),
      grpcStatus: text({ maxLength: 64 }),
      http2Error: text({ maxLength: 64 }),
      percentage: PERCENT,
    },
    { rules: [atMostOne("httpStatus", "grpcStatus", "http2Error")] },
  ),
});

const CORS: ObjectSchema = object({
  allowOrigin: NAMES,
  allowOrigins: list(STRING_MATCH, { maxItems: 1024 }),
  allowMethods: LINES,
  allowHeaders: LINES,
  exposeHeaders: LINES,
  maxAge: DURATION,
  allowCredentials: flag(),
  unmatchedPreflights: oneOf("UNSPECIFIED", "FORWARD", "IGNORE"),
});

const HTTP_ROUTE: ObjectSchema = object(
  {
    name: text({ maxLength: 1024 }),
    match: list(HTTP_MATCH, { maxItems: 1024 }),
    route: list(
      object(
        { destination: DESTINATION, weight: integer({ min: 0, max: 1_000_000 }), headers: HEADERS },
        {
          required: ["destination"],
        },
      ),
      { maxItems: 1024 },
    ),
    redirect: REDIRECT,
    directResponse: object(
      {
        status: integer({ min: 200, max: 599 }),
        body: object(
          { string: text({ maxLength: 1_048_576 }), bytes: text({ format: "binary", maxLength: 1_398_104 }) },
          { rules: [atMostOne("string", "bytes")] },
        ),
      },
      { required: ["status"] },
    ),
    delegate: object({ name: NAME, namespace: text() }, { required: ["name"] }),
    rewrite: object({
      uri: line(16 * 1024),
      authority: line(1024),
      uriRegexRewrite: object({ match: text({ maxLength: 4096 }), rewrite: line(4096) }),
    }),
    timeout: DURATION,
    retries: RETRIES,
    fault: FAULT,
    mirror: DESTINATION,
    mirrorPercentage: PERCENT,
    mirrorPercent: integer({ min: 0, max: 100 }),
    mirror_percent: integer({ min: 0, max: 100 }),
    mirrors: list(object({ destination: DESTINATION, percentage: PERCENT }, { required: ["destination"] }), {
      maxItems: 64,
    }),
    corsPolicy: CORS,
    headers: HEADERS,
  },
  {
    rules: [
      {
        message: "exactly one of route, redirect, directResponse and delegate must be set",
        holds: (route) =>
          ["route", "redirect", "directResponse", "delegate"].filter((name) => has(route, name)).length === 1,
      },
    ],
  },
);

const SUBNETS: ListSchema = list(
  text({
    maxLength: 64,
    rules: [{ message: "must be an IP address or CIDR block", holds: isAddressBlock }],
  }),
  { maxItems: 1024 },
);

const STREAM_MATCH = {
  destinationSubnets: SUBNETS,
  port: PORT,
  sourceLabels: TEXT_MAP,
  sourceNamespace: text(),
  gateways: NAMES,
};
const STREAM_TARGETS: ListSchema = list(
  object(
    { destination: DESTINATION, weight: integer({ min: 0, max: 1_000_000 }) },
    { required: ["destination"] },
  ),
  { maxItems: 1024 },
);

export const VIRTUAL_SERVICE_SPEC: ObjectSchema = object({
  hosts: NAMES,
  gateways: NAMES,
  http: list(HTTP_ROUTE, { maxItems: 20_000 }),
  tls: list(
    object(
      {
        match: list(object({ ...STREAM_MATCH, sniHosts: NAMES }, { required: ["sniHosts"] }), {
          maxItems: 1024,
        }),
        route: STREAM_TARGETS,
      },
      { required: ["match"] },
    ),
    { maxItems: 4096 },
  ),
  tcp: list(
    object({
      match: list(object({ ...STREAM_MATCH, sourceSubnet: text() }), { maxItems: 1024 }),
      route: STREAM_TARGETS,
    }),
    { maxItems: 4096 },
  ),
  exportTo: list(text({ maxLength: 253 }), { maxItems: 1024 }),
});

export function parseVirtualService(value: unknown): Parsed<Stored<VirtualServiceSpec>> {
  return parseStored("VirtualService", VIRTUAL_SERVICE_SPEC, value);
}
