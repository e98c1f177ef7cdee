/** One match of one rule of an HTTPRoute or GRPCRoute → HttpRoute (reference: l7-and-cli §2.6). */

import type {
  Forward,
  HttpRoute,
  PathMatch,
  RequestMatch,
  RetryPolicy,
  SourceMatch,
  WeightedTarget,
} from "@meltemi/model/l7";
import type {
  BackendRefSpec,
  GrpcRouteRuleSpec,
  HttpRouteRuleSpec,
  RouteMatchSpec,
} from "@meltemi/resources";
import type { Destinations } from "./destinations.ts";
import { invalid } from "./destinations.ts";
import type { RouteFacts } from "./facts.ts";
import { backendTarget } from "./gateway-backend.ts";
import { type CompiledFilters, compileFilters } from "./gateway-filters.ts";
import { DEFAULT_RETRY } from "./traffic-settings.ts";
import { durationMs, valueMatches } from "./values.ts";

/** What a rule is compiled for. */
export interface RoutePlace {
  readonly route: RouteFacts;
  readonly destinations: Destinations;
  readonly port: number;
  readonly clusterDomain: string;
  /** A consumer's route is for clients of its namespace alone. */
  readonly source: SourceMatch | undefined;
}

/** The rule without its matches: they are ranked among those of all routes, one by one. */
export function compileRule(
  rule: HttpRouteRuleSpec,
  index: number,
  place: RoutePlace,
): (match: RouteMatchSpec) => HttpRoute {
  const { route } = place;
  const { kind, namespace, name } = route;
  const filters = compileFilters(rule.filters, (backend) => targetOf(backend, place));
  const { requestHeaders, responseHeaders, cors } = filters;
  const action = actionOf(rule, filters, place);
  return (match) => ({
    name: `${namespace}/${name}/${rule.name ?? index}`,
    origin: { kind, namespace, name },
    matches: [requestMatch(match, place.source)],
    action,
    ...(requestHeaders && { requestHeaders }),
    ...(responseHeaders && { responseHeaders }),
    ...(cors && { cors }),
  });
}

function actionOf(rule: HttpRouteRuleSpec, filters: CompiledFilters, place: RoutePlace): HttpRoute["action"] {
  if (filters.unsupported !== undefined)
    return forward([broken(`unsupported filter type "${filters.unsupported}"`)], rule, filters);
  return filters.redirect ?? forward(targetsOf(rule.backendRefs ?? [], place), rule, filters);
}

function forward(
  targets: readonly WeightedTarget[],
  rule: HttpRouteRuleSpec,
  filters: CompiledFilters,
): Forward {
  const retry = rule.retry && retryOf(rule.retry, rule.timeouts?.backendRequest);
  const onceMs = retry === undefined ? durationMs(rule.timeouts?.backendRequest) : undefined;
  const timeoutMs = onceMs || durationMs(rule.timeouts?.request);
  return {
    kind: "forward",
    targets,
    ...(filters.rewrite && { rewrite: filters.rewrite }),
    ...(timeoutMs && { timeoutMs }),
    ...(retry && { retry }),
    mirrors: filters.mirrors,
  };
}

function targetsOf(backends: readonly BackendRefSpec[], place: RoutePlace): readonly WeightedTarget[] {
  const targets = backends.map((backend): WeightedTarget => {
    const filters = compileFilters(backend.filters, (mirror) => targetOf(mirror, place));
    const { requestHeaders, responseHeaders, unsupported } = filters;
    const target =
      unsupported === undefined
        ? targetOf(backend, place)
        : invalid(`unsupported filter type "${unsupported}"`);
    return {
      target,
      weight: backend.weight ?? 1,
      ...(requestHeaders && { requestHeaders }),
      ...(responseHeaders && { responseHeaders }),
    };
  });
  return targets.some(({ weight }) => weight > 0) ? targets : [broken("no backend has a weight above zero")];
}

function broken(detail: string): WeightedTarget {
  return { target: invalid(detail), weight: 1 };
}

function targetOf(backend: BackendRefSpec, place: RoutePlace): ReturnType<typeof backendTarget> {
  const { route, destinations, port, clusterDomain } = place;
  return backendTarget(backend, route.namespace, destinations, port, clusterDomain);
}

function retryOf(
  { attempts, codes = [], backoff }: NonNullable<HttpRouteRuleSpec["retry"]>,
  perTry: string | undefined,
): RetryPolicy {
  const perTryTimeoutMs = durationMs(perTry);
  const baseMs = durationMs(backoff) || DEFAULT_RETRY.backoffBaseMs;
  return {
    ...DEFAULT_RETRY,
    retries: attempts ?? DEFAULT_RETRY.retries,
    on: codes.length === 0 ? DEFAULT_RETRY.on : [...DEFAULT_RETRY.on, "retriable-status-codes"],
    statusCodes: codes,
    ...(perTryTimeoutMs && { perTryTimeoutMs }),
    backoffBaseMs: baseMs,
    backoffMaxMs: baseMs * 10,
  };
}

function requestMatch(match: RouteMatchSpec, source: SourceMatch | undefined): RequestMatch {
  const path = pathMatch(match.path);
  return {
    ...(path && { path }),
    ...(match.method && { method: { kind: "exact", value: match.method } }),
    headers: valueMatches(match.headers, (name) => name.toLowerCase()),
    queryParams: valueMatches(match.queryParams, (name) => name),
    ...(source && { source }),
  };
}

/** Undefined: every path. */
function pathMatch(path: RouteMatchSpec["path"]): PathMatch | undefined {
  const value = path?.value ?? "/";
  if (path?.type === "Exact") return { kind: "exact", value };
  if (path?.type === "RegularExpression") return { kind: "regex", pattern: value };
  const trimmed = value.length > 1 ? value.replace(/\/+$/, "") || "/" : value;
  return trimmed === "/" ? undefined : { kind: "elements", value: trimmed };
}

/** A gRPC method is a path: `/<service>/<method>`, by POST. */
export function grpcAsHttp(rule: GrpcRouteRuleSpec): HttpRouteRuleSpec {
  return {
    ...rule,
    matches: (rule.matches ?? []).map(({ method, headers }) => ({
      ...(method && { path: grpcPath(method) }),
      ...(headers && { headers }),
    })),
  };
}

type GrpcMethod = NonNullable<NonNullable<GrpcRouteRuleSpec["matches"]>[number]["method"]>;

function grpcPath({ type = "Exact", service, method }: GrpcMethod): NonNullable<RouteMatchSpec["path"]> {
  const isRegex = type === "RegularExpression";
  if (!isRegex && service !== undefined && method !== undefined)
    return { type: "Exact", value: `/${service}/${method}` };
  if (!isRegex && service !== undefined) return { type: "PathPrefix", value: `/${service}` };
  const piece = (text: string | undefined): string =>
    text === undefined ? "[^/]+" : isRegex ? `(?:${text})` : text.replaceAll(".", "\\.");
  return { type: "RegularExpression", value: `/${piece(service)}/${piece(method)}` };
}
