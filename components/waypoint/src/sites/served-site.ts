/** One served service at work: its ports as sites, its clusters with their connections. Built once, replaced as a whole. */

import { isDeepStrictEqual } from "node:util";
import {
  buildConnectionAuthorizer,
  buildFilters,
  compileRoutes,
  compileTcpRoutes,
  type FilterInput,
  type FilterMemory,
  LiveCluster,
  type LiveClusterDeps,
  type PortSite,
  type RegexCache,
  type ServiceTelemetry,
  type Telemetry,
} from "@meltemi/l7";
import type { Cluster, ServedPort, ServedService, WaypointSettings } from "@meltemi/model/l7";
import { MeshError } from "@meltemi/runtime";

export interface SiteDeps {
  readonly clusters: LiveClusterDeps;
  readonly regexes: RegexCache;
  readonly memory: FilterMemory;
  /** What of the configuration has no effect, or is refused, and why. */
  readonly onProblem: (subject: string, problem: string) => void;
  readonly telemetry: Telemetry;
}

export interface ServedSite {
  readonly config: ServedService;
  readonly settings: WaypointSettings;
  readonly clusters: ReadonlyMap<string, LiveCluster>;
  /** By number. */
  readonly ports: ReadonlyMap<number, PortSite>;
}

/** Clusters of `previous` that are configured as before go on: what they learned of their endpoints, and their connections. */
export function liveClusters(
  wanted: readonly Cluster[],
  previous: ReadonlyMap<string, LiveCluster> | undefined,
  deps: LiveClusterDeps,
): ReadonlyMap<string, LiveCluster> {
  return new Map(
    wanted.map((config) => {
      const known = previous?.get(config.name);
      const isSame = known !== undefined && isDeepStrictEqual(known.config, config);
      return [config.name, isSame ? known : new LiveCluster(config, deps)];
    }),
  );
}

export function buildServedSite(
  config: ServedService,
  settings: WaypointSettings,
  settingsClusters: ReadonlyMap<string, LiveCluster>,
  previous: ServedSite | undefined,
  deps: SiteDeps,
): ServedSite {
  const clusters = liveClusters(config.clusters, previous?.clusters, deps.clusters);
  const common = commonParts(config, settings, settingsClusters, deps);
  const ports = config.ports.map((port): readonly [number, PortSite] => {
    const defaultCluster = clusters.get(port.cluster);
    if (defaultCluster === undefined)
      throw new MeshError(
        "CONFIG_INVALID",
        `serve ${common.scope} port ${port.port}: expected a cluster ${port.cluster}, got none of that name`,
      );
    return [port.port, portSite(config, port, clusters, defaultCluster, settings, common, deps)];
  });
  return { config, settings, clusters, ports: new Map(ports) };
}

/** What all ports of a service, or all workloads, have in common. */
export interface CommonParts {
  readonly scope: string;
  readonly filters: PortSite["http"]["filters"];
  readonly connections: Pick<PortSite["tcp"], "authorize" | "rejudge">;
  readonly telemetry: ServiceTelemetry;
}

export function commonParts(
  config: Pick<ServedService, "jwtRules" | "policies" | "rateLimits" | "telemetry"> &
    Partial<Pick<ServedService, "namespace" | "hostname">>,
  settings: WaypointSettings,
  settingsClusters: ReadonlyMap<string, LiveCluster>,
  deps: SiteDeps,
): CommonParts {
  const { jwtRules, policies, rateLimits, namespace, hostname } = config;
  const scope = hostname === undefined ? "" : `${namespace}/${hostname}`;
  const input: FilterInput = {
    scope,
    jwtRules,
    policies,
    rateLimits,
    settings,
    cluster: (name) => settingsClusters.get(name),
  };
  const onProblem = (problem: string): void => deps.onProblem(scope, problem);
  const telemetry = deps.telemetry.forService(config.telemetry);
  for (const problem of telemetry.problems) onProblem(problem);
  return {
    scope,
    filters: buildFilters(input, { memory: deps.memory, onProblem }),
    connections: buildConnectionAuthorizer(input, { memory: deps.memory }),
    telemetry,
  };
}

function portSite(
  { namespace, hostname }: ServedService,
  port: ServedPort,
  clusters: ReadonlyMap<string, LiveCluster>,
  defaultCluster: LiveCluster,
  settings: WaypointSettings,
  { scope, filters, connections, telemetry }: CommonParts,
  deps: SiteDeps,
): PortSite {
  const service = { namespace, hostname };
  const routes = port.httpRoutes.length === 0 ? undefined : compileRoutes(port.httpRoutes, deps.regexes);
  for (const { route, problem } of routes?.problems ?? [])
    deps.onProblem(`${scope}:${port.port} route ${route}`, problem);
  const cluster = (name: string): LiveCluster | undefined => clusters.get(name);
  const { defaultRetry, pathNormalization, forwardClientIdentity } = settings;
  return {
    protocol: port.protocol,
    http: {
      service,
      filters,
      routes,
      defaultCluster,
      cluster,
      defaultRetry,
      pathNormalization,
      forwardClientIdentity,
      observer: telemetry.requests,
      tracer: telemetry.tracer,
    },
    tcp: {
      service,
      routes: compileTcpRoutes(port.tcpRoutes),
      defaultCluster,
      cluster,
      ...connections,
      observer: telemetry.connections,
    },
  };
}
