/** What becomes of a request that passed all filters: decided once, before anything is done. */

import type { RequestHead, ResponseHead } from "@meltemi/http";
import type { Forward, RetryPolicy } from "@meltemi/model/l7";
import { unreachable } from "@meltemi/runtime";
import type { LocalReply, RequestContext } from "../request-context.ts";
import { type CompiledCors, decideCors, grantOrigin } from "../routing/cors.ts";
import { decideFault, NO_FAULT } from "../routing/fault.ts";
import { httpStatusOf, isGrpcRequest } from "../routing/grpc-reply.ts";
import { decideMirrors, shadowAuthority } from "../routing/mirror.ts";
import { rewriteRequest, rewriteResponse } from "../routing/rewrite-request.ts";
import { decideRoute, type RouteDecision } from "../routing/route-table.ts";
import type { UpstreamCluster } from "../upstream/upstream-cluster.ts";
import type { ForwardingPlan } from "./forwarding-plan.ts";
import { faultAbort, invalidBackend, NO_CLUSTER, NO_ROUTE } from "./replies.ts";
import type { HttpSite } from "./site.ts";

interface Planned {
  readonly routeName: string;
  /** Before anything else happens. */
  readonly delayMs: number;
  /** Undefined: no route was asked. */
  readonly decision: RouteDecision | undefined;
  /** The browser is told that this origin may read the response. */
  readonly grant: { readonly cors: CompiledCors; readonly origin: string } | undefined;
}

export type RequestPlan =
  | (Planned & { readonly kind: "reply"; readonly reply: LocalReply })
  | (Planned & {
      readonly kind: "forward";
      readonly forward: ForwardingPlan;
      readonly mirrors: readonly ForwardingPlan[];
    });

/** Nobody asked for a retry, or a fault was injected. */
const NO_RETRY: RetryPolicy = {
  retries: 0,
  on: [],
  statusCodes: [],
  backoffBaseMs: 0,
  backoffMaxMs: 0,
  avoidPreviousHosts: false,
  otherLocalities: false,
};
const NO_MIRRORS: readonly ForwardingPlan[] = [];

/** Changes `context.request` into what goes on, as the route says. */
export function planRequest(context: RequestContext, site: HttpSite, random: () => number): RequestPlan {
  const { routes } = site;
  if (routes === undefined) return planDefault(context, site);
  const decision = decideRoute(routes, context, random);
  if (decision.kind === "none")
    return { kind: "reply", routeName: "", delayMs: 0, decision, grant: undefined, reply: NO_ROUTE };
  const { route } = decision;
  const cors = decideCors(route.cors, context.request);
  const fault = decideFault(route.fault, random);
  const planned: Planned = {
    routeName: route.route.name,
    delayMs: fault.delayMs,
    decision,
    grant:
      cors.kind === "grant" && route.cors !== undefined
        ? { cors: route.cors, origin: cors.origin }
        : undefined,
  };
  if (cors.kind === "reply") return { ...planned, delayMs: 0, kind: "reply", reply: cors.reply };
  if (fault.abort !== undefined) {
    const status = fault.abort;
    const isGrpc = isGrpcRequest(context.request.headers);
    return { ...planned, kind: "reply", reply: faultAbort(status, isGrpc, httpStatusOf) };
  }
  switch (decision.kind) {
    case "invalid":
      return { ...planned, kind: "reply", reply: invalidBackend(decision.detail) };
    case "redirect":
    case "respond":
      return { ...planned, kind: "reply", reply: decision.reply };
    case "forward":
      return planForward(context, site, decision, planned, fault !== NO_FAULT, random);
    default:
      return unreachable(decision);
  }
}

function planDefault(context: RequestContext, site: HttpSite): RequestPlan {
  const forward = forwarding(site.defaultCluster, context.request, site.defaultRetry, undefined, false);
  return {
    kind: "forward",
    routeName: "default",
    delayMs: 0,
    decision: undefined,
    grant: undefined,
    forward,
    mirrors: NO_MIRRORS,
  };
}

function planForward(
  context: RequestContext,
  site: HttpSite,
  decision: Extract<RouteDecision, { kind: "forward" }>,
  planned: Planned,
  hasFault: boolean,
  random: () => number,
): RequestPlan {
  const cluster = site.cluster(decision.cluster);
  if (cluster === undefined) return { ...planned, kind: "reply", reply: NO_CLUSTER };
  const { request } = context;
  if (!rewriteRequest(decision, request))
    return { ...planned, kind: "reply", reply: invalidBackend("path_rewrite") };
  const { forward } = decision.forward;
  const mirrors = forward.mirrors.length === 0 ? NO_MIRRORS : planMirrors(request, site, forward, random);
  // As in Envoy: a route that injects faults neither retries nor times out.
  const retry = hasFault ? NO_RETRY : (forward.retry ?? site.defaultRetry);
  const timeoutMs = hasFault ? undefined : forward.timeoutMs;
  // Field by field: spreading what is planned takes 1 % of a request.
  return {
    kind: "forward",
    routeName: planned.routeName,
    delayMs: planned.delayMs,
    decision,
    grant: planned.grant,
    forward: forwarding(cluster, request, retry, timeoutMs, mirrors.length > 0),
    mirrors,
  };
}

function planMirrors(
  request: RequestHead,
  site: HttpSite,
  { mirrors, timeoutMs }: Pick<Forward, "mirrors" | "timeoutMs">,
  random: () => number,
): readonly ForwardingPlan[] {
  // What passes behind an upgrade is no request that could be copied.
  if (request.upgrade !== undefined) return NO_MIRRORS;
  return decideMirrors(mirrors, random).flatMap((mirror): ForwardingPlan[] => {
    const to = site.cluster(mirror.cluster);
    if (to === undefined) return [];
    const copy = {
      ...request,
      authority: shadowAuthority(request.authority),
      headers: request.headers.copy(),
    };
    return [forwarding(to, copy, NO_RETRY, timeoutMs, false)];
  });
}

function forwarding(
  cluster: UpstreamCluster,
  head: RequestHead,
  retry: RetryPolicy,
  timeoutMs: number | undefined,
  holdBody: boolean,
): ForwardingPlan {
  return { cluster, head, retry, timeoutMs, holdBody };
}

/** Changes a response, the service's or our own, as the route says. */
export function finishResponse(plan: RequestPlan, response: ResponseHead): void {
  const { decision, grant } = plan;
  if (decision !== undefined) rewriteResponse(decision, response);
  if (grant !== undefined) grantOrigin(grant.cors, grant.origin, response.headers);
}
