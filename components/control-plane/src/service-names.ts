/** Names under which others know the control plane. Pure. */

export function istiodService(revision: string): string {
  return revision === "default" ? "istiod" : `istiod-${revision}`;
}

/** Its own Service and `istiod`, which is in every default. */
export function controlPlaneServices(revision: string): readonly string[] {
  return [...new Set(["istiod", istiodService(revision)])];
}

/** For its server certificate. */
export function serverNames(namespace: string, revision: string): readonly string[] {
  return controlPlaneServices(revision).flatMap((service) => [
    `${service}.${namespace}.svc`,
    `${service}.${namespace}.svc.cluster.local`,
    `${service}.${namespace}`,
    service,
  ]);
}
