/** All that a waypoint must know of one service that is bound to it. */

import type { AppProtocol } from "@meltemi/model";
import type {
  HttpRoute,
  RouteTarget,
  ServedPort,
  ServedProtocol,
  ServedService,
  TcpRoute,
} from "@meltemi/model/l7";
import { requireServedService } from "@meltemi/xds";
import { type BindingReport, servingWaypoints } from "../binding-report.ts";
import type { ServicePortFacts } from "../facts.ts";
import type { Output } from "../graph.ts";
import { serviceHostname } from "../mesh-collections.ts";
import type { WaypointReference } from "../waypoint.ts";
import type { Compilation } from "../workload-parts.ts";
import { createDestinations, type Destinations, type Host, invalid } from "./destinations.ts";
import type { RouteFacts } from "./facts.ts";
import { gatewayHttpRoutes, gatewayStreamRoutes, routesFor } from "./gateway-routes.ts";
import { jwtRules, rateLimits, requestPolicies, targetKeys } from "./policies.ts";
import { telemetryFor } from "./telemetry.ts";
import { httpRoutesOf, streamRoutesOf, virtualServicesFor } from "./virtual-service.ts";

/** A service as one waypoint serves it. */
export interface ServedAt {
  /** `namespace/name` of the waypoint. */
  readonly waypoint: string;
  /** `namespace/hostname` of the service. */
  readonly name: string;
  readonly service: ServedService;
}

/** For each of its waypoints, for they may see different routes. */
export function compileServed(report: BindingReport, compilation: Compilation): readonly Output<ServedAt>[] {
  const waypoints = waypointsOf(report);
  return hostsOf(report, compilation).flatMap((host) =>
    waypoints.map((waypoint): Output<ServedAt> => {
      const key = `${waypoint.namespace}/${waypoint.name}`;
      const name = `${host.namespace}/${host.hostname}`;
      const service = servedService(host, waypoint, compilation);
      // What a waypoint would refuse must fail here, where the last good form stays and the log says why.
      requireServedService(service);
      return { key: `${key}|${name}`, value: { waypoint: key, name, service } };
    }),
  );
}

/**
 * A waypoint that is not ready yet is told already: it gets an address, and with it requests, when it is ready,
 * and it must know what to do with the first.
 */
function waypointsOf(report: BindingReport): readonly WaypointReference[] {
  const { binding } = report;
  if (binding?.kind === "refused") return binding.reason === "notReady" ? [binding.waypoint] : [];
  return servingWaypoints(report).map((key) => {
    const slash = key.indexOf("/");
    return { namespace: key.slice(0, slash), name: key.slice(slash + 1) };
  });
}

function hostsOf(
  { kind, namespace, name }: BindingReport,
  { inputs, outputs, read, settings }: Compilation,
): readonly Host[] {
  const key = `${namespace}/${name}`;
  if (kind === "Service") {
    const service = read.get(inputs.services, key);
    if (service === undefined) return [];
    const hostname = serviceHostname(service, settings);
    return [{ kind, namespace, name, hostname, ports: service.ports }];
  }
  if (kind !== "ServiceEntry") return [];
  const entry = read.get(inputs.serviceEntries, key);
  return (entry?.hosts ?? [])
    .filter((hostname) => read.get(outputs.services, `${namespace}/${hostname}`)?.name === name)
    .map((hostname) => ({ kind, namespace, name, hostname, ports: entry?.ports ?? [] }));
}

function servedService(host: Host, waypoint: WaypointReference, compilation: Compilation): ServedService {
  const destinations = createDestinations(compilation, waypoint, host.namespace);
  const ports = host.ports.map((port) => servedPort(host, port, waypoint, destinations, compilation));
  const targets = targetKeys(waypoint, host, compilation);
  return {
    namespace: host.namespace,
    hostname: host.hostname,
    ports,
    clusters: destinations.clusters,
    jwtRules: jwtRules(targets, compilation),
    policies: requestPolicies(targets, compilation),
    rateLimits: rateLimits(targets, compilation),
    telemetry: telemetryFor(host.namespace, targets, compilation),
  };
}

function servedPort(
  host: Host,
  facts: ServicePortFacts,
  waypoint: WaypointReference,
  destinations: Destinations,
  compilation: Compilation,
): ServedPort {
  const { port } = facts;
  const protocol = protocolOf(facts.appProtocol);
  const { cluster, fault } = destinations.own(host, facts);
  const services = virtualServicesFor(host, waypoint.namespace, compilation);
  const routes = routesFor(host, port, compilation);
  const isHttp = protocol === "http" || protocol === "sniff";
  const gateway = isHttp ? gatewayHttpRoutes(routes, host, port, destinations, compilation) : [];
  const virtual = isHttp ? httpRoutesOf(services, port, destinations, compilation) : [];
  const consumersOnly = gateway.length > 0 && virtual.length === 0 && !routes.some(isOwnHttp(host));
  const target = fault === undefined ? ({ kind: "cluster", cluster } as const) : invalid(fault);
  const httpRoutes = [...gateway, ...virtual, ...(consumersOnly ? [defaultRoute(target)] : [])];
  const tcpRoutes =
    protocol === "http"
      ? []
      : [
          ...gatewayStreamRoutes(routes, host, port, destinations, compilation),
          ...streamRoutesOf(services, port, destinations, compilation),
        ];
  if (fault === undefined) return { port, protocol, httpRoutes, tcpRoutes, cluster };
  return { port, protocol, cluster, ...withoutDefault(httpRoutes, tcpRoutes, fault) };
}

/** What no route takes goes to the service itself; where that must not be, a last route says so. */
function withoutDefault(
  httpRoutes: readonly HttpRoute[],
  tcpRoutes: readonly TcpRoute[],
  fault: string,
): Pick<ServedPort, "httpRoutes" | "tcpRoutes"> {
  const target = invalid(fault);
  return {
    httpRoutes: httpRoutes.length > 0 ? httpRoutes : [defaultRoute(target)],
    tcpRoutes: [...tcpRoutes, { name: "default", matches: [], targets: [{ target, weight: 1 }] }],
  };
}

function defaultRoute(target: RouteTarget): HttpRoute {
  const targets = [{ target, weight: 1 }];
  return { name: "default", matches: [], action: { kind: "forward", targets, mirrors: [] } };
}

/** Routes of consumers alone leave everyone else with the service itself, as if there were none. */
function isOwnHttp(host: Host): (route: RouteFacts) => boolean {
  return ({ kind, namespace }) =>
    namespace === host.namespace && (kind === "HTTPRoute" || kind === "GRPCRoute");
}

function protocolOf(declared: AppProtocol): ServedProtocol {
  switch (declared) {
    case "http11":
    case "http2":
    case "grpc":
      return "http";
    case "tcp":
    case "tls":
      return declared;
    default:
      return "sniff";
  }
}
