/** Whether the clusters that a resource names are in it: a waypoint must not find out with a request in its hands. */

import type {
  HttpRoute,
  RateLimit,
  ServedService,
  WaypointSettings,
  WeightedTarget,
} from "@meltemi/model/l7";
import { MeshError } from "@meltemi/runtime";

/** Throws INPUT_INVALID with the first name that stands for nothing. */
export function requireServedReferences({ clusters, ports }: ServedService): void {
  const requireKnown = lookUp(clusters);
  for (const { port, cluster, httpRoutes, tcpRoutes } of ports) {
    requireKnown(cluster, `port ${port}`);
    for (const route of httpRoutes)
      for (const name of clustersOf(route)) requireKnown(name, `port ${port} route ${route.name}`);
    for (const { name, targets } of tcpRoutes)
      for (const target of clustersOfTargets(targets)) requireKnown(target, `port ${port} route ${name}`);
  }
}

/** As {@link requireServedReferences}. */
export function requireSettingsReferences(settings: WaypointSettings): void {
  const requireKnown = lookUp(settings.clusters);
  for (const { name, cluster } of settings.authorizers) requireKnown(cluster, `authorizer ${name}`);
  for (const { name, limit } of settings.rateLimits as readonly RateLimit[])
    if (limit.kind === "global") requireKnown(limit.cluster, `rate limit ${name}`);
  const { collector } = settings.telemetry.tracing;
  if (collector !== undefined) requireKnown(collector.cluster, "trace collector");
}

function lookUp(clusters: ServedService["clusters"]): (name: string, where: string) => void {
  const known = new Set(clusters.map(({ name }) => name));
  return (name, where) => {
    if (!known.has(name))
      throw new MeshError("INPUT_INVALID", `read ${where}: expected a cluster of the resource, got ${name}`);
  };
}

function clustersOf({ action }: HttpRoute): readonly string[] {
  if (action.kind !== "forward") return [];
  return [...clustersOfTargets(action.targets), ...action.mirrors.map(({ cluster }) => cluster)];
}

function clustersOfTargets(targets: readonly WeightedTarget[]): readonly string[] {
  return targets.flatMap(({ target }) => (target.kind === "cluster" ? [target.cluster] : []));
}
