/** Deleting every object of a resource, as its definition goes. */
import { API_SERVER } from "../identity/user.ts";
import { isTerminating } from "../kube-object.ts";
import { type Resource, resourceKey } from "../resources/resource.ts";
import type { Cluster, WriteRequest } from "./context.ts";
import { deleteObject, parseDeleteOptions } from "./remove.ts";

/** Objects with finalizers stay behind, terminating. */
export function removeAll(cluster: Cluster, resource: Resource, nowMs: number): void {
  const [version] = resource.versions;
  if (version === undefined) return;
  const key = resourceKey(resource);
  for (const stored of cluster.store.list(key)) {
    if (isTerminating(stored.object)) continue;
    const request: WriteRequest = {
      served: { resource, version },
      key,
      namespace: stored.namespace,
      name: stored.name,
      subresource: undefined,
      options: { dryRun: false, fieldValidation: "Ignore", fieldManager: "kube-apiserver", force: false },
      user: API_SERVER,
      nowMs,
      warnings: [],
    };
    deleteObject(cluster, request, stored, parseDeleteOptions(undefined, new URLSearchParams()));
  }
}
