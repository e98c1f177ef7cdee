/** VirtualServices of a host → routes of one port (reference: l7-and-cli §2.4). */

import type { HttpRoute, TcpRoute } from "@meltemi/model/l7";
import type { HttpRouteSpec, StreamRouteSpec } from "@meltemi/resources";
import type { Compilation } from "../workload-parts.ts";
import type { Destinations, Host } from "./destinations.ts";
import type { VirtualServiceFacts } from "./facts.ts";
import { byAge, fullHost, hostPatterns, isVisible } from "./hosts.ts";
import { actionOf, aroundOf, destinationOf, type RulePlace } from "./virtual-service-action.ts";
import { isForMesh, isForPort, narrowMatches, requestMatch, streamMatch } from "./virtual-service-match.ts";

/**
 * Those that speak for the host, the oldest first: in the namespace of the service or of the waypoint, and visible from one of them.
 */
export function virtualServicesFor(
  host: Host,
  waypointNamespace: string,
  { inputs, read, settings }: Compilation,
): readonly VirtualServiceFacts[] {
  const viewers = [waypointNamespace, host.namespace];
  const found = hostPatterns(host.hostname).flatMap((pattern) =>
    read.by(inputs.virtualServices, "host", pattern).filter(
      ({ namespace, spec }) =>
        viewers.includes(namespace) &&
        isForMesh(spec.gateways) &&
        isVisible(spec.exportTo, namespace, viewers) &&
        // The index knows hosts as they stand; here the one that stands for this host is meant.
        spec.hosts?.some((each) => fullHost(each, namespace, settings.clusterDomain) === pattern),
    ),
  );
  return [...new Set(found)].toSorted(byAge);
}

export function httpRoutesOf(
  services: readonly VirtualServiceFacts[],
  port: number,
  destinations: Destinations,
  compilation: Compilation,
): readonly HttpRoute[] {
  return services.flatMap((service) =>
    (service.spec.http ?? []).flatMap((rule, index) =>
      withDelegates(rule, service, compilation).flatMap(({ rule: whole, owner }) =>
        httpRoute(whole, index, owner, placeOf(owner, port, destinations, compilation)),
      ),
    ),
  );
}

interface OwnedRule {
  readonly rule: HttpRouteSpec;
  readonly owner: VirtualServiceFacts;
}

/** One level deep: what a delegate leaves out, who delegates fills in. A delegate that is not there has no rules. */
function withDelegates(
  rule: HttpRouteSpec,
  owner: VirtualServiceFacts,
  { inputs, read }: Compilation,
): readonly OwnedRule[] {
  if (rule.delegate === undefined) return [{ rule, owner }];
  const { name, namespace } = rule.delegate;
  const delegate = read.get(inputs.virtualServices, `${namespace || owner.namespace}/${name}`);
  if (delegate === undefined || (delegate.spec.hosts ?? []).length > 0) return [];
  if (!isVisible(delegate.spec.exportTo, delegate.namespace, [owner.namespace])) return [];
  const { delegate: _reference, match: _match, name: outerName, ...inherited } = rule;
  return (delegate.spec.http ?? []).flatMap((inner): OwnedRule[] => {
    const match = narrowMatches(rule.match, inner.match);
    if (inner.delegate !== undefined || match === undefined) return [];
    const names = [outerName, inner.name].filter((part) => part);
    return [{ rule: { ...inherited, ...inner, name: names.join("-"), match }, owner: delegate }];
  });
}

function placeOf(
  { namespace }: VirtualServiceFacts,
  port: number,
  destinations: Destinations,
  { settings }: Compilation,
): RulePlace {
  return { destinations, port, namespace, clusterDomain: settings.clusterDomain };
}

function httpRoute(
  rule: HttpRouteSpec,
  index: number,
  owner: VirtualServiceFacts,
  place: RulePlace,
): readonly HttpRoute[] {
  const asked = rule.match ?? [];
  const matches = asked.filter((match) => isForPort(match, place.port));
  if (asked.length > 0 && matches.length === 0) return [];
  return [
    {
      name: rule.name || `${owner.namespace}/${owner.name}/${index}`,
      origin: originOf(owner),
      matches: matches.map(requestMatch),
      action: actionOf(rule, place),
      ...aroundOf(rule),
    },
  ];
}

/** Rules for TLS come before those for TCP. */
export function streamRoutesOf(
  services: readonly VirtualServiceFacts[],
  port: number,
  destinations: Destinations,
  compilation: Compilation,
): readonly TcpRoute[] {
  const routes = (field: "tls" | "tcp"): readonly TcpRoute[] =>
    services.flatMap((owner) =>
      (owner.spec[field] ?? []).flatMap((rule, index) =>
        streamRoute(rule, `${field}/${index}`, owner, placeOf(owner, port, destinations, compilation)),
      ),
    );
  return [...routes("tls"), ...routes("tcp")];
}

function streamRoute(
  { match: asked = [], route = [] }: StreamRouteSpec,
  name: string,
  owner: VirtualServiceFacts,
  place: RulePlace,
): readonly TcpRoute[] {
  const matches = asked.filter((match) => isForPort(match, place.port));
  if (asked.length > 0 && matches.length === 0) return [];
  return [
    {
      name: `${owner.namespace}/${owner.name}/${name}`,
      origin: originOf(owner),
      matches: matches.map(streamMatch),
      targets: route.map(({ destination, weight = 0 }) => ({
        target: place.destinations.target(destinationOf(destination, place), place.port),
        weight: route.length === 1 ? 1 : weight,
      })),
    },
  ];
}

function originOf({ namespace, name }: VirtualServiceFacts): NonNullable<HttpRoute["origin"]> {
  return { kind: "VirtualService", namespace, name };
}
