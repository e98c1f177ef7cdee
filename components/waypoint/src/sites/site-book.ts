/**
 * The sites of everything that is served, made from the configuration as it comes. What is configured as before is the same site as
 * before; a request keeps the one that it began with, and the clusters of it: those keep no connection once they are used no more.
 */

import { isDeepStrictEqual } from "node:util";
import type { LiveCluster, PortSite } from "@meltemi/l7";
import type { ServedService, WaypointSettings } from "@meltemi/model/l7";
import { describeError } from "@meltemi/runtime";
import type { WaypointWorld } from "../world/world.ts";
import { buildServedSite, liveClusters, type ServedSite, type SiteDeps } from "./served-site.ts";
import { buildWorkloadSite, type WorkloadSite } from "./workload-site.ts";

export interface SiteBook {
  /** Brings the sites up to the world. Cheap where nothing of them changed. */
  update(world: Pick<WaypointWorld, "served" | "settings">): void;
  /** Undefined: not served. `key` is the service's `namespace/hostname`. */
  service(key: string, port: number): PortSite | undefined;
  workload(): PortSite | undefined;
  /** Of the settings: collectors, authorizers, rate limit services. */
  settingsCluster(name: string): LiveCluster | undefined;
  /** For dumps. */
  readonly sites: ReadonlyMap<string, ServedSite>;
  readonly otherClusters: readonly LiveCluster[];
  /** No new requests anywhere; running ones end as they do. */
  drain(): void;
}

interface Sites {
  readonly served: ReadonlyMap<string, ServedSite>;
  readonly settings: WaypointSettings | undefined;
  readonly settingsClusters: ReadonlyMap<string, LiveCluster>;
  readonly workload: WorkloadSite | undefined;
}

const NOTHING: Sites = {
  served: new Map(),
  settings: undefined,
  settingsClusters: new Map(),
  workload: undefined,
};

export function createSiteBook(deps: SiteDeps): SiteBook {
  let sites = NOTHING;
  let seen: Pick<WaypointWorld, "served" | "settings"> | undefined;
  return {
    update(world) {
      if (seen?.served === world.served && seen.settings === world.settings) return;
      seen = { served: world.served, settings: world.settings };
      const next = nextSites(sites, world, deps);
      const left = unused(sites, next);
      sites = next;
      for (const cluster of left) cluster.drain();
    },
    service: (key, port) => sites.served.get(key)?.ports.get(port),
    workload: () => sites.workload?.port,
    settingsCluster: (name) => sites.settingsClusters.get(name),
    get sites() {
      return sites.served;
    },
    get otherClusters() {
      return [...sites.settingsClusters.values(), ...(sites.workload ? [sites.workload.cluster] : [])];
    },
    drain() {
      for (const cluster of clustersOf(sites)) cluster.drain();
    },
  };
}

/** Without settings nothing is served: retries, trust and policies of the waypoint are not known. */
function nextSites(
  before: Sites,
  { served, settings: told }: Pick<WaypointWorld, "served" | "settings">,
  deps: SiteDeps,
): Sites {
  if (told === undefined) return before;
  const settings = isDeepStrictEqual(before.settings, told) && before.settings ? before.settings : told;
  const settingsClusters =
    settings === before.settings
      ? before.settingsClusters
      : liveClusters(settings.clusters, before.settingsClusters, deps.clusters);
  const isWorkloads = settings.trafficType === "workload" || settings.trafficType === "all";
  return {
    served: new Map(
      [...served].flatMap(([key, config]) => {
        const site = nextSite(before.served.get(key), key, config, settings, settingsClusters, deps);
        return site === undefined ? [] : [[key, site]];
      }),
    ),
    settings,
    settingsClusters,
    workload: !isWorkloads
      ? undefined
      : before.workload?.settings === settings
        ? before.workload
        : buildWorkloadSite(settings, settingsClusters, before.workload, deps),
  };
}

/** A configuration that cannot be served leaves what is; with nothing before it, the service is refused. */
function nextSite(
  before: ServedSite | undefined,
  key: string,
  config: ServedService,
  settings: WaypointSettings,
  settingsClusters: ReadonlyMap<string, LiveCluster>,
  deps: SiteDeps,
): ServedSite | undefined {
  if (before?.settings === settings && isDeepStrictEqual(before.config, config)) return before;
  try {
    return buildServedSite(config, settings, settingsClusters, before, deps);
  } catch (error) {
    deps.onProblem(key, describeError(error));
    return before;
  }
}

function clustersOf({ served, settingsClusters, workload }: Sites): LiveCluster[] {
  const own = [...served.values()].flatMap(({ clusters }) => [...clusters.values()]);
  return [...own, ...settingsClusters.values(), ...(workload === undefined ? [] : [workload.cluster])];
}

function unused(before: Sites, next: Sites): readonly LiveCluster[] {
  const used = new Set(clustersOf(next));
  return clustersOf(before).filter((cluster) => !used.has(cluster));
}
