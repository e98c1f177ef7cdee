/** What a rule of a VirtualService does with a request (reference: l7-and-cli §2.4). Pure but for the clusters it names. */

import type {
  CorsPolicy,
  DirectResponse,
  Fault,
  Forward,
  HttpRoute,
  Mirror,
  Redirect,
  Rewrite,
  WeightedTarget,
} from "@meltemi/model/l7";
import type {
  CorsPolicySpec,
  DestinationSpec,
  HttpDestinationSpec,
  HttpFaultSpec,
  HttpRedirectSpec,
  HttpRewriteSpec,
  HttpRouteSpec,
  PercentSpec,
} from "@meltemi/resources";
import type { Destination, Destinations } from "./destinations.ts";
import { grpcStatusCode } from "./grpc-status.ts";
import { fullHost } from "./hosts.ts";
import { retryPolicy } from "./retry.ts";
import { durationMs, headerOperations, textMatch } from "./values.ts";

/** Where a rule stands. */
export interface RulePlace {
  readonly destinations: Destinations;
  readonly port: number;
  /** Of the VirtualService that has the rule. */
  readonly namespace: string;
  readonly clusterDomain: string;
}

export function actionOf(rule: HttpRouteSpec, place: RulePlace): HttpRoute["action"] {
  if (rule.redirect !== undefined) return redirectOf(rule.redirect);
  if (rule.directResponse !== undefined) return responseOf(rule.directResponse);
  return forwardOf(rule, place);
}

/** Parts that stand beside the action. */
export function aroundOf(
  rule: HttpRouteSpec,
): Pick<HttpRoute, "requestHeaders" | "responseHeaders" | "cors" | "fault"> {
  const requestHeaders = headerOperations(rule.headers?.request);
  const responseHeaders = headerOperations(rule.headers?.response);
  const fault = rule.fault && faultOf(rule.fault);
  return {
    ...(requestHeaders && { requestHeaders }),
    ...(responseHeaders && { responseHeaders }),
    ...(rule.corsPolicy && { cors: corsOf(rule.corsPolicy) }),
    ...(fault && { fault }),
  };
}

function forwardOf(rule: HttpRouteSpec, place: RulePlace): Forward {
  const rewrite = rule.rewrite && rewriteOf(rule.rewrite);
  const timeoutMs = durationMs(rule.timeout);
  return {
    kind: "forward",
    targets: targetsOf(rule.route ?? [], place),
    ...(rewrite && { rewrite }),
    ...(timeoutMs && { timeoutMs }),
    ...(rule.retries && { retry: retryPolicy(rule.retries) }),
    mirrors: mirrorsOf(rule, place),
  };
}

/** A single destination takes everything, whatever its weight says. */
function targetsOf(routes: readonly HttpDestinationSpec[], place: RulePlace): readonly WeightedTarget[] {
  return routes.map(({ destination, weight = 0, headers }) => {
    const requestHeaders = headerOperations(headers?.request);
    const responseHeaders = headerOperations(headers?.response);
    return {
      target: place.destinations.target(destinationOf(destination, place), place.port),
      weight: routes.length === 1 ? 1 : weight,
      ...(requestHeaders && { requestHeaders }),
      ...(responseHeaders && { responseHeaders }),
    };
  });
}

export function destinationOf(
  { host, subset, port }: DestinationSpec,
  { namespace, clusterDomain }: Pick<RulePlace, "namespace" | "clusterDomain">,
): Destination {
  return {
    host: fullHost(host, namespace, clusterDomain),
    ...(subset !== undefined && { subset }),
    ...(port?.number && { port: port.number }),
  };
}

function rewriteOf({ uri, authority, uriRegexRewrite }: HttpRewriteSpec): Rewrite {
  const regex = uriRegexRewrite?.match
    ? ({
        kind: "regex",
        pattern: uriRegexRewrite.match,
        substitution: uriRegexRewrite.rewrite ?? "",
      } as const)
    : undefined;
  const path = regex ?? (uri ? ({ kind: "prefix", value: uri } as const) : undefined);
  return { ...(path && { path }), ...(authority && { authority }) };
}

const REDIRECT_CODES: readonly Redirect["status"][] = [301, 302, 303, 307, 308];

function redirectOf(spec: HttpRedirectSpec): Redirect {
  const path = spec.uri
    ? ({ kind: "full", value: spec.uri } as const)
    : spec.prefixRewrite
      ? ({ kind: "prefix", value: spec.prefixRewrite } as const)
      : undefined;
  const port = redirectPort(spec);
  return {
    kind: "redirect",
    status: REDIRECT_CODES.find((code) => code === spec.redirectCode) ?? 301,
    ...(spec.scheme && { scheme: spec.scheme }),
    ...(spec.authority && { authority: spec.authority }),
    ...(port && { port }),
    ...(path && { path }),
  };
}

function redirectPort({ port, derivePort }: HttpRedirectSpec): Redirect["port"] {
  if (port !== undefined && port > 0 && port <= 65_535) return port;
  if (derivePort === "FROM_REQUEST_PORT") return "fromRequest";
  return derivePort === "FROM_PROTOCOL_DEFAULT" ? "fromScheme" : undefined;
}

function responseOf({ status, body }: NonNullable<HttpRouteSpec["directResponse"]>): DirectResponse {
  const bytes = body?.bytes === undefined ? "" : Buffer.from(body.bytes, "base64").toString("utf8");
  return { kind: "respond", status, body: body?.string ?? bytes };
}

/** Fire and forget: a copy for nobody is no fault of the request. */
function mirrorsOf(rule: HttpRouteSpec, place: RulePlace): readonly Mirror[] {
  const single: Parameters<typeof mirrorOf>[] = rule.mirror
    ? [[rule.mirror, rule.mirrorPercentage, rule.mirrorPercent ?? rule.mirror_percent, place]]
    : [];
  const several = (rule.mirrors ?? []).map(
    ({ destination, percentage }): Parameters<typeof mirrorOf> => [destination, percentage, undefined, place],
  );
  return [...several, ...single].flatMap((each) => mirrorOf(...each));
}

function mirrorOf(
  destination: DestinationSpec,
  percentage: PercentSpec | undefined,
  oldPercent: number | undefined,
  place: RulePlace,
): readonly Mirror[] {
  const target = place.destinations.target(destinationOf(destination, place), place.port);
  const percent = percentage === undefined ? (oldPercent ?? 100) : (percentage.value ?? 0);
  return target.kind === "cluster" ? [{ cluster: target.cluster, percent }] : [];
}

/** Without a percentage nothing is delayed or aborted. */
function faultOf({ delay, abort }: HttpFaultSpec): Fault | undefined {
  const delayMs = durationMs(delay?.fixedDelay);
  const delayPercent = delay?.percentage?.value ?? delay?.percent ?? 0;
  const status = abortStatus(abort);
  const abortPercent = abort?.percentage?.value ?? 0;
  const fault = {
    ...(delayMs && delayPercent && { delay: { durationMs: delayMs, percent: delayPercent } }),
    ...(status && abortPercent && { abort: { status, percent: abortPercent } }),
  };
  return Object.keys(fault).length === 0 ? undefined : fault;
}

function abortStatus(abort: HttpFaultSpec["abort"]): NonNullable<Fault["abort"]>["status"] | undefined {
  if (abort?.httpStatus !== undefined) return { kind: "http", code: abort.httpStatus };
  const code = abort?.grpcStatus === undefined ? undefined : grpcStatusCode(abort.grpcStatus);
  return code === undefined ? undefined : { kind: "grpc", code };
}

function corsOf(spec: CorsPolicySpec): CorsPolicy {
  const maxAgeMs = durationMs(spec.maxAge);
  const plain = (spec.allowOrigin ?? []).map((origin) => ({ exact: origin }));
  return {
    allowOrigins: [...(spec.allowOrigins ?? []), ...plain].map((origin) =>
      origin.exact === "*" ? { kind: "present" } : textMatch(origin),
    ),
    allowMethods: spec.allowMethods ?? [],
    allowHeaders: spec.allowHeaders ?? [],
    exposeHeaders: spec.exposeHeaders ?? [],
    ...(maxAgeMs !== undefined && { maxAgeSeconds: Math.floor(maxAgeMs / 1000) }),
    allowCredentials: spec.allowCredentials ?? false,
    unmatchedPreflights: spec.unmatchedPreflights === "IGNORE" ? "ignore" : "forward",
  };
}
