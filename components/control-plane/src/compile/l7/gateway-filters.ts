/** Filters of HTTPRoute and GRPCRoute (reference: l7-and-cli §2.6). Pure but for the clusters they name. */

import type {
  CorsPolicy,
  HeaderEdit,
  Mirror,
  PathRewrite,
  Redirect,
  Rewrite,
  RouteTarget,
  TextMatch,
} from "@meltemi/model/l7";
import type {
  BackendRefSpec,
  FilterSpec,
  PathModifierSpec,
  RouteCorsSpec,
  RouteRedirectSpec,
} from "@meltemi/resources";
import { headerModifier, joinEdits } from "./values.ts";

/** What the filters of a rule come to. */
export interface CompiledFilters {
  readonly requestHeaders?: HeaderEdit;
  readonly responseHeaders?: HeaderEdit;
  readonly redirect?: Redirect;
  readonly rewrite?: Rewrite;
  readonly mirrors: readonly Mirror[];
  readonly cors?: CorsPolicy;
  /** The first type that is not understood: the rule must not be served without it. */
  readonly unsupported?: string;
}

const SUPPORTED: ReadonlySet<string> = new Set([
  "RequestHeaderModifier",
  "ResponseHeaderModifier",
  "RequestMirror",
  "RequestRedirect",
  "URLRewrite",
  "CORS",
]);

export function unsupportedFilter(filters: readonly FilterSpec[] | undefined): string | undefined {
  return filters?.find(({ type }) => !SUPPORTED.has(type))?.type;
}

export function compileFilters(
  filters: readonly FilterSpec[] | undefined,
  target: (backend: BackendRefSpec) => RouteTarget,
): CompiledFilters {
  let requestHeaders: HeaderEdit | undefined;
  let responseHeaders: HeaderEdit | undefined;
  let redirect: Redirect | undefined;
  let rewrite: Rewrite | undefined;
  let cors: CorsPolicy | undefined;
  const mirrors: Mirror[] = [];
  for (const filter of filters ?? []) {
    requestHeaders = joinEdits(requestHeaders, headerModifier(filter.requestHeaderModifier));
    responseHeaders = joinEdits(responseHeaders, headerModifier(filter.responseHeaderModifier));
    redirect ??= filter.requestRedirect && redirectOf(filter.requestRedirect);
    rewrite ??= filter.urlRewrite && rewriteOf(filter.urlRewrite);
    cors ??= filter.cors && corsOf(filter.cors);
    if (filter.requestMirror !== undefined) mirrors.push(...mirrorOf(filter.requestMirror, target));
  }
  const unsupported = unsupportedFilter(filters);
  return {
    ...(requestHeaders && { requestHeaders }),
    ...(responseHeaders && { responseHeaders }),
    ...(redirect && { redirect }),
    ...(rewrite && { rewrite }),
    mirrors,
    ...(cors && { cors }),
    ...(unsupported && { unsupported }),
  };
}

function mirrorOf(
  spec: NonNullable<FilterSpec["requestMirror"]>,
  targetOf: (backend: BackendRefSpec) => RouteTarget,
): readonly Mirror[] {
  const target = targetOf(spec.backendRef);
  const { numerator, denominator = 100 } = spec.fraction ?? {};
  const share = numerator === undefined ? 100 : (numerator / denominator) * 100;
  return target.kind === "cluster" ? [{ cluster: target.cluster, percent: spec.percent ?? share }] : [];
}

const REDIRECT_CODES: readonly Redirect["status"][] = [301, 302, 303, 307, 308];

/** Without a port: that of the scheme where one is given, else the request's. */
function redirectOf(spec: RouteRedirectSpec): Redirect {
  const path = spec.path && pathOf(spec.path);
  return {
    kind: "redirect",
    status: REDIRECT_CODES.find((code) => code === spec.statusCode) ?? 302,
    ...(spec.scheme && { scheme: spec.scheme }),
    ...(spec.hostname && { authority: spec.hostname }),
    port: spec.port ?? (spec.scheme === undefined ? "fromRequest" : "fromScheme"),
    ...(path && { path }),
  };
}

function rewriteOf(spec: NonNullable<FilterSpec["urlRewrite"]>): Rewrite {
  const path = spec.path && pathOf(spec.path);
  return { ...(path && { path }), ...(spec.hostname && { authority: spec.hostname }) };
}

function pathOf(spec: PathModifierSpec): PathRewrite {
  return spec.type === "ReplaceFullPath"
    ? { kind: "full", value: spec.replaceFullPath || "/" }
    : { kind: "prefix", value: spec.replacePrefixMatch || "/" };
}

/** The API's default. */
const CORS_MAX_AGE_SECONDS = 5;

/** Preflights of other origins are answered here: Gateway API does not pass them on. */
function corsOf(spec: RouteCorsSpec): CorsPolicy {
  return {
    allowOrigins: (spec.allowOrigins ?? []).map(originMatch),
    allowMethods: spec.allowMethods ?? [],
    allowHeaders: spec.allowHeaders ?? [],
    exposeHeaders: spec.exposeHeaders ?? [],
    maxAgeSeconds: spec.maxAge ?? CORS_MAX_AGE_SECONDS,
    allowCredentials: spec.allowCredentials ?? false,
    unmatchedPreflights: "ignore",
  };
}

/** `https://*.example.com` takes any names below, of any depth. */
function originMatch(origin: string): TextMatch {
  if (origin === "*") return { kind: "present" };
  if (!origin.includes("*")) return { kind: "exact", value: origin };
  const escaped = origin.split("*").map((part) => part.replace(/[.\\+?()[\]{}^$|/]/g, "\\$&"));
  return { kind: "regex", pattern: escaped.join("[^/]+") };
}
