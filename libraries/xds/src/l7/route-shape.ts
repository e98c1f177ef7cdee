/** Shapes of routes and of what they match. */

import {
  type CorsPolicy,
  type DirectResponse,
  type Fault,
  type Forward,
  GRPC_STATUS_NAMES,
  type HeaderEdit,
  type HttpRoute,
  type Mirror,
  type NamedMatch,
  type PathMatch,
  type PathRewrite,
  RETRY_CONDITIONS,
  type Redirect,
  type RequestMatch,
  type RetryPolicy,
  type Rewrite,
  type RouteTarget,
  type SourceMatch,
  type TcpMatch,
  type TcpRoute,
  type TextMatch,
  type WeightedTarget,
} from "@meltemi/model/l7";
import {
  HEADER_NAME,
  HEADER_VALUE,
  LABEL_TEXT,
  LABELS,
  MILLISECONDS,
  NAME,
  ORIGIN,
  PERCENT,
  PORT,
  STATUS,
  VALUE,
} from "./common-shape.ts";
import {
  either,
  flag,
  integer,
  list,
  maybe,
  object,
  oneOf,
  pair,
  type Shape,
  text,
  textLike,
  union,
} from "./shape.ts";

const EXACT = { value: VALUE, ignoreCase: maybe(flag) } as const;

const TEXT_MATCH: Shape<TextMatch> = union<TextMatch>({
  exact: EXACT,
  prefix: EXACT,
  suffix: EXACT,
  regex: { pattern: VALUE },
  present: {},
});

const PATH_MATCH: Shape<PathMatch> = union<PathMatch>({
  exact: EXACT,
  prefix: EXACT,
  regex: { pattern: VALUE },
  elements: { value: textLike("a path that begins with /", /^\//, 16 * 1024) },
});

function namedMatches(name: Shape<string>): Shape<readonly NamedMatch[]> {
  return list(object<NamedMatch>({ name, match: TEXT_MATCH, invert: flag }), 1024);
}

const SOURCE: Shape<SourceMatch> = object<SourceMatch>({ namespace: maybe(NAME), labels: maybe(LABELS) });

const REQUEST_MATCH: Shape<RequestMatch> = object<RequestMatch>({
  path: maybe(PATH_MATCH),
  method: maybe(TEXT_MATCH),
  scheme: maybe(TEXT_MATCH),
  authority: maybe(TEXT_MATCH),
  headers: namedMatches(HEADER_NAME),
  queryParams: namedMatches(NAME),
  source: maybe(SOURCE),
});

const HEADER_PAIRS = list(pair(HEADER_NAME, HEADER_VALUE), 1024);
const HEADER_EDIT: Shape<HeaderEdit> = object<HeaderEdit>({
  set: HEADER_PAIRS,
  add: HEADER_PAIRS,
  remove: list(HEADER_NAME, 1024),
});

const PATH_REWRITE: Shape<PathRewrite> = union<PathRewrite>({
  full: { value: HEADER_VALUE },
  prefix: { value: HEADER_VALUE },
  regex: { pattern: VALUE, substitution: HEADER_VALUE },
});

const REWRITE: Shape<Rewrite> = object<Rewrite>({
  path: maybe(PATH_REWRITE),
  authority: maybe(HEADER_VALUE),
});

const TARGET: Shape<RouteTarget> = union<RouteTarget>({
  cluster: { cluster: NAME },
  invalid: { detail: LABEL_TEXT },
});

const WEIGHTED_TARGETS: Shape<readonly WeightedTarget[]> = list(
  object<WeightedTarget>({
    target: TARGET,
    weight: integer(0, 0xffff_ffff),
    requestHeaders: maybe(HEADER_EDIT),
    responseHeaders: maybe(HEADER_EDIT),
  }),
  1024,
);

export const RETRY: Shape<RetryPolicy> = object<RetryPolicy>({
  retries: integer(0, 1_000_000),
  on: list(oneOf(...RETRY_CONDITIONS), 32),
  statusCodes: list(STATUS, 500),
  perTryTimeoutMs: maybe(MILLISECONDS),
  backoffBaseMs: MILLISECONDS,
  backoffMaxMs: MILLISECONDS,
  avoidPreviousHosts: flag,
  otherLocalities: flag,
});

const CORS: Shape<CorsPolicy> = object<CorsPolicy>({
  allowOrigins: list(TEXT_MATCH, 1024),
  allowMethods: list(HEADER_VALUE, 64),
  allowHeaders: list(HEADER_VALUE, 1024),
  exposeHeaders: list(HEADER_VALUE, 1024),
  maxAgeSeconds: maybe(MILLISECONDS),
  allowCredentials: flag,
  unmatchedPreflights: oneOf("forward", "ignore"),
});

const FAULT: Shape<Fault> = object<Fault>({
  delay: maybe(object({ durationMs: MILLISECONDS, percent: PERCENT })),
  abort: maybe(
    object({
      status: union<NonNullable<Fault["abort"]>["status"]>({
        http: { code: STATUS },
        grpc: { code: integer(0, GRPC_STATUS_NAMES.length - 1) },
      }),
      percent: PERCENT,
    }),
  ),
});

const ACTION: Shape<HttpRoute["action"]> = union<Forward | Redirect | DirectResponse>({
  forward: {
    targets: WEIGHTED_TARGETS,
    rewrite: maybe(REWRITE),
    timeoutMs: maybe(MILLISECONDS),
    retry: maybe(RETRY),
    mirrors: list(object<Mirror>({ cluster: NAME, percent: PERCENT }), 64),
  },
  redirect: {
    status: oneOf(301, 302, 303, 307, 308),
    scheme: maybe(textLike("a scheme", /^[a-z][-+.a-z0-9]*$/i, 64)),
    authority: maybe(HEADER_VALUE),
    port: maybe(either(oneOf("fromScheme", "fromRequest"), PORT)),
    path: maybe(PATH_REWRITE),
  },
  respond: { status: STATUS, body: text() },
});

export const HTTP_ROUTE: Shape<HttpRoute> = object<HttpRoute>({
  name: LABEL_TEXT,
  origin: maybe(ORIGIN),
  matches: list(REQUEST_MATCH, 1024),
  action: ACTION,
  requestHeaders: maybe(HEADER_EDIT),
  responseHeaders: maybe(HEADER_EDIT),
  cors: maybe(CORS),
  fault: maybe(FAULT),
});

export const TCP_ROUTE: Shape<TcpRoute> = object<TcpRoute>({
  name: LABEL_TEXT,
  origin: maybe(ORIGIN),
  matches: list(
    object<TcpMatch>({
      destinationSubnets: list(NAME, 1024),
      source: maybe(SOURCE),
      sniHosts: list(NAME, 1024),
    }),
    1024,
  ),
  targets: WEIGHTED_TARGETS,
});
