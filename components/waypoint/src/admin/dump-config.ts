/** `/config_dump`: what this waypoint knows and does. No private key and no token is in it. */

import type { CertificateManager } from "@meltemi/identity";
import type { LiveCluster } from "@meltemi/l7";
import type { Cluster, ServedService } from "@meltemi/model/l7";
import { dumpMesh } from "@meltemi/proxy-process";
import type { WaypointConfig } from "../config.ts";
import type { SiteBook } from "../sites/site-book.ts";
import type { WaypointWorld } from "../world/world.ts";

export interface DumpSources {
  readonly world: WaypointWorld;
  readonly sites: SiteBook;
  readonly certificates: CertificateManager;
}

export function dumpConfig(config: WaypointConfig, { world, sites, certificates }: DumpSources): unknown {
  const { settings } = world;
  const clusters = [...sites.sites.values()].flatMap((site) => [...site.clusters.values()]);
  return {
    ...dumpMesh(world.snapshot),
    settings: settings && { ...settings, clusters: settings.clusters.map(redactedCluster) },
    servedServices: [...sites.sites.entries()]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([, site]) => redactedService(site.config)),
    clusters: [...clusters, ...sites.otherClusters].map(dumpCluster),
    certificates: certificates.states(),
    version: { version: config.log.buildTag, istioVersion: config.log.buildTag },
    config: redactedConfig(config),
  };
}

function dumpCluster(cluster: LiveCluster): unknown {
  const { endpoints, ejected, config, limits } = cluster;
  return {
    name: config.name,
    service: `${config.service.namespace}/${config.service.hostname}`,
    requests: limits.requests,
    endpoints: endpoints.map((endpoint) => ({
      uid: endpoint.uid,
      address: endpoint.address,
      healthy: endpoint.healthy,
      ejected: ejected.has(endpoint.uid),
      active: endpoint.active,
      connections: endpoint.state.connections,
    })),
  };
}

function redactedService(service: ServedService): unknown {
  return { ...service, clusters: service.clusters.map(redactedCluster) };
}

function redactedCluster(cluster: Cluster): unknown {
  if (cluster.tls?.privateKey === undefined) return cluster;
  return { ...cluster, tls: { ...cluster.tls, privateKey: "redacted" } };
}

function redactedConfig(config: WaypointConfig): unknown {
  return {
    ...config,
    // A path is shown, a token never.
    authToken: config.authToken.includes("/") ? config.authToken : "redacted",
    xds: { ...config.xds, headers: [...config.xds.headers.keys()] },
    ca: { ...config.ca, headers: [...config.ca.headers.keys()] },
  };
}
