/** Gateway API routes whose parent is a service → routes of one port, in the order of the specification (reference: l7-and-cli §2.6). */

import type { HttpRoute, SourceMatch, TcpRoute } from "@meltemi/model/l7";
import type { HttpRouteRuleSpec } from "@meltemi/resources";
import type { Compilation } from "../workload-parts.ts";
import type { Destinations, Host } from "./destinations.ts";
import type { RouteFacts } from "./facts.ts";
import { backendTarget } from "./gateway-backend.ts";
import { compileRule, grpcAsHttp, type RoutePlace } from "./gateway-rule.ts";
import { byAge } from "./hosts.ts";
import { compareMatches, type RankedMatch } from "./route-precedence.ts";
import { parentKey } from "./target-keys.ts";

/** Routes that have the service at this port as parent. */
export function routesFor(host: Host, port: number, { inputs, read }: Compilation): readonly RouteFacts[] {
  const key = `${host.kind}/${host.namespace}/${host.name}`;
  return read
    .by(inputs.routes, "parent", key)
    .filter(({ spec, namespace }) =>
      spec.parentRefs?.some(
        (parent) =>
          parentKey(parent, namespace) === key && (parent.port === undefined || parent.port === port),
      ),
    );
}

interface Ranked extends RankedMatch {
  readonly route: HttpRoute;
}

/**
 * Of each namespace other than the service's, the consumers' routes come first and are all that its clients are offered: what
 * they do not match is answered with 404. Then the routes of the service's own namespace.
 */
export function gatewayHttpRoutes(
  routes: readonly RouteFacts[],
  host: Host,
  port: number,
  destinations: Destinations,
  compilation: Compilation,
): readonly HttpRoute[] {
  const http = routes.filter(({ kind }) => kind === "HTTPRoute" || kind === "GRPCRoute");
  const ranked = (among: readonly RouteFacts[], source: SourceMatch | undefined): readonly HttpRoute[] =>
    among
      .flatMap((route) => rankedRoutes(placeOf(route, port, destinations, source, compilation)))
      .toSorted(compareMatches)
      .map(({ route }) => route);
  const consumers = [...new Set(http.map(({ namespace }) => namespace))]
    .filter((namespace) => namespace !== host.namespace)
    .sort();
  const ofConsumers = consumers.flatMap((namespace) => [
    ...ranked(ofNamespace(http, namespace), { namespace }),
    nothingElse(namespace),
  ]);
  return [...ofConsumers, ...ranked(ofNamespace(http, host.namespace), undefined)];
}

function ofNamespace(routes: readonly RouteFacts[], namespace: string): readonly RouteFacts[] {
  return routes.filter((route) => route.namespace === namespace);
}

function nothingElse(namespace: string): HttpRoute {
  return {
    name: `${namespace}/no-match`,
    matches: [{ headers: [], queryParams: [], source: { namespace } }],
    action: { kind: "respond", status: 404, body: "" },
  };
}

function placeOf(
  route: RouteFacts,
  port: number,
  destinations: Destinations,
  source: SourceMatch | undefined,
  { settings }: Compilation,
): RoutePlace {
  return { route, destinations, port, clusterDomain: settings.clusterDomain, source };
}

function rankedRoutes(place: RoutePlace): readonly Ranked[] {
  const { createdMs, namespace, name } = place.route;
  return httpRules(place.route).flatMap((rule, ruleIndex) => {
    const compile = compileRule(rule, ruleIndex, place);
    const matches = rule.matches === undefined || rule.matches.length === 0 ? [{}] : rule.matches;
    return matches.map((match, matchIndex) => ({
      createdMs,
      namespace,
      name,
      match,
      ruleIndex,
      matchIndex,
      route: compile(match),
    }));
  });
}

/** A route without rules has one that matches everything and goes nowhere (the API's default). */
function httpRules(route: RouteFacts): readonly HttpRouteRuleSpec[] {
  switch (route.kind) {
    case "HTTPRoute":
      return route.spec.rules ?? [{}];
    case "GRPCRoute":
      return (route.spec.rules ?? [{}]).map(grpcAsHttp);
    default:
      return [];
  }
}

/** TLSRoutes before TCPRoutes, consumers' before producers', then the oldest. */
export function gatewayStreamRoutes(
  routes: readonly RouteFacts[],
  host: Host,
  port: number,
  destinations: Destinations,
  compilation: Compilation,
): readonly TcpRoute[] {
  const rank = ({ kind, namespace }: RouteFacts): number =>
    (kind === "TLSRoute" ? 0 : 1) + (namespace === host.namespace ? 2 : 0);
  return routes
    .filter(({ kind }) => kind === "TLSRoute" || kind === "TCPRoute")
    .toSorted((a, b) => rank(a) - rank(b) || byAge(a, b))
    .flatMap((route) => streamRoutes(route, host, port, destinations, compilation));
}

function streamRoutes(
  route: RouteFacts,
  host: Host,
  port: number,
  destinations: Destinations,
  { settings }: Compilation,
): readonly TcpRoute[] {
  if (route.kind !== "TLSRoute" && route.kind !== "TCPRoute") return [];
  const { kind, namespace, name, spec } = route;
  const sniHosts = kind === "TLSRoute" ? (spec.hostnames ?? []) : [];
  const source = namespace === host.namespace ? undefined : { namespace };
  const isNarrow = source !== undefined || sniHosts.length > 0;
  return (spec.rules ?? []).map((rule, index) => ({
    name: `${namespace}/${name}/${rule.name ?? index}`,
    origin: { kind, namespace, name },
    matches: isNarrow ? [{ destinationSubnets: [], sniHosts, ...(source && { source }) }] : [],
    targets: (rule.backendRefs ?? []).map((backend) => ({
      target: backendTarget(backend, namespace, destinations, port, settings.clusterDomain),
      weight: backend.weight ?? 1,
    })),
  }));
}
