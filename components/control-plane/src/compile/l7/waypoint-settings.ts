/** What a waypoint must know of itself, whatever it serves. */

import { type Cluster, type ExternalAuthorizer, newCluster, type WaypointSettings } from "@meltemi/model/l7";
import { requireWaypointSettings } from "@meltemi/xds";
import type { Output } from "../graph.ts";
import { EVERY } from "../mesh-collections.ts";
import { MESH_CONTROLLER } from "../policy-targets.ts";
import type { Waypoint } from "../waypoint.ts";
import type { Compilation } from "../workload-parts.ts";
import { createDestinations } from "./destinations.ts";
import { fullHost } from "./hosts.ts";
import { jwtRules, rateLimits, requestPolicies, serviceClusterName, targetKeys } from "./policies.ts";
import { telemetryFor } from "./telemetry.ts";
import type { ProviderService } from "./traffic-settings.ts";

export function compileSettings(
  waypoint: Waypoint,
  compilation: Compilation,
): readonly Output<WaypointSettings>[] {
  if (!isOurs(waypoint)) return [];
  const { settings } = compilation;
  const { traffic } = settings;
  const targets = targetKeys(waypoint, undefined, compilation);
  const clusters = calledClusters(waypoint, compilation);
  const value: WaypointSettings = {
    trafficType: waypoint.trafficType,
    trustDomain: settings.trustDomain,
    trustDomainAliases: traffic.trustDomainAliases,
    pathNormalization: traffic.pathNormalization,
    defaultRetry: traffic.defaultRetry,
    // Beyond Istio, where it must be asked for: what a service is told of its callers is verified, and a header from outside is not.
    forwardClientIdentity: true,
    jwtRules: jwtRules(targets, compilation),
    policies: requestPolicies(targets, compilation),
    rateLimits: rateLimits(targets, compilation),
    telemetry: telemetryFor(waypoint.namespace, targets, compilation),
    authorizers: authorizersOf(compilation),
    clusters,
  };
  requireWaypointSettings(value);
  return [{ key: `${waypoint.namespace}/${waypoint.name}`, value }];
}

/** A Gateway of another controller is no client of ours. */
function isOurs({ className, controllerName }: Waypoint): boolean {
  return (
    controllerName === MESH_CONTROLLER || (controllerName === undefined && className === "istio-waypoint")
  );
}

function authorizersOf({ settings }: Compilation): readonly ExternalAuthorizer[] {
  return settings.traffic.providers.flatMap((provider) => {
    if (provider.kind !== "authorizer") return [];
    const { name, service, authorizer } = provider;
    return [{ ...authorizer, name, cluster: serviceClusterName(service.host, service.port) }];
  });
}

/** Services that waypoints call: authorizers, trace collectors, and rate limit services of all policies, wherever they apply. */
function calledClusters(waypoint: Waypoint, compilation: Compilation): readonly Cluster[] {
  const { inputs, read, settings } = compilation;
  const ofProviders = settings.traffic.providers.flatMap((provider): Called[] => {
    if (provider.kind === "accessLog") return [];
    const isGrpc = provider.kind === "authorizer" && provider.authorizer.protocol === "grpc";
    return [{ ...provider.service, isGrpc }];
  });
  const ofLimits = read.by(inputs.rateLimitPolicies, "all", EVERY).flatMap(({ namespace, limits }) =>
    limits.flatMap(({ limit }): Called[] => {
      if (limit.kind === "local") return [];
      const host = fullHost(limit.host, namespace, settings.clusterDomain);
      return [{ namespace, host, port: limit.port, isGrpc: true }];
    }),
  );
  const found = new Map<string, Cluster>();
  for (const service of [...ofProviders, ...ofLimits]) {
    const name = serviceClusterName(service.host, service.port);
    if (!found.has(name)) found.set(name, calledCluster(name, service, waypoint, compilation));
  }
  return [...found.values()];
}

interface Called extends ProviderService {
  readonly isGrpc: boolean;
}

/**
 * A service that is not there, or must not be called as it is, has a cluster without endpoints: a call fails, and what depends on
 * it fails as its policy says.
 */
function calledCluster(name: string, service: Called, waypoint: Waypoint, compilation: Compilation): Cluster {
  const { settings } = compilation;
  const namespace = service.namespace ?? waypoint.namespace;
  const destinations = createDestinations(compilation, waypoint, namespace);
  const target = destinations.target({ host: service.host, port: service.port }, service.port);
  const known = target.kind === "cluster" ? destinations.clusters[0] : undefined;
  const protocol = service.isGrpc ? "http2" : "http1";
  if (known !== undefined) return { ...known, name, protocol };
  return newCluster({
    name,
    service: { namespace, hostname: `unusable.${service.host}` },
    port: service.port,
    protocol,
    connectionPool: { connectTimeoutMs: settings.traffic.connectTimeoutMs },
  });
}
