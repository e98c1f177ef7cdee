/** Revisions of a deployment as `kubectl rollout` reads them. */

import type { Deployment, KubernetesObject, ReplicaSet } from "@meltemi/kubernetes";

export const REVISION = "deployment.kubernetes.io/revision";
export const DESIRED_REPLICAS = "deployment.kubernetes.io/desired-replicas";
export const MAX_REPLICAS = "deployment.kubernetes.io/max-replicas";

/** Annotations of the deployment that say nothing about the template. */
const NOT_COPIED: ReadonlySet<string> = new Set([
  "kubectl.kubernetes.io/last-applied-configuration",
  REVISION,
  DESIRED_REPLICAS,
  MAX_REPLICAS,
]);

/** Zero when the object carries none. */
export function revisionOf(object: KubernetesObject): number {
  const revision = Number(object.metadata?.annotations?.[REVISION] ?? "0");
  return Number.isSafeInteger(revision) && revision > 0 ? revision : 0;
}

/** One more than the newest of the other replica sets; an old template that comes back gets a new number. */
export function nextRevision(others: readonly ReplicaSet[], own: ReplicaSet | undefined): number {
  const newest = Math.max(0, ...others.map(revisionOf));
  return Math.max(newest + 1, own === undefined ? 0 : revisionOf(own));
}

export function copiedAnnotations(deployment: Deployment): Readonly<Record<string, string>> {
  const annotations = Object.entries(deployment.metadata?.annotations ?? {});
  return Object.fromEntries(annotations.filter(([name]) => !NOT_COPIED.has(name)));
}
