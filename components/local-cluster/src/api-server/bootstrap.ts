/** What every cluster has from its first moment: namespaces, priorities, default roles, the `kubernetes` Service. Made again when missing. */

import { API_SERVER } from "./identity/user.ts";
import { type JsonObject, textAt } from "./json.ts";
import { RBAC_GROUP } from "./rbac/authorizer.ts";
import { defaultRbacObjects } from "./rbac/default-roles.ts";
import { reconciled } from "./rbac/reconcile.ts";
import { type AddressRange, addressAt } from "./resources/address-range.ts";
import { resourceKey } from "./resources/resource.ts";
import type { Cluster, WriteRequest } from "./write/context.ts";
import { createObject } from "./write/create.ts";
import { decodeObject } from "./write/decode.ts";

export interface Bootstrap {
  readonly serviceRange: AddressRange;
  readonly securePort: number;
  readonly nowMs: number;
}

export function bootstrapObjects(cluster: Cluster, bootstrap: Bootstrap): void {
  for (const name of ["default", "kube-system", "kube-public", "kube-node-lease"]) {
    ensure(cluster, bootstrap.nowMs, "", "namespaces", undefined, { metadata: { name } });
  }
  for (const [name, value] of [
    ["system-node-critical", 2_000_001_000],
    ["system-cluster-critical", 2_000_000_000],
  ] as const) {
    ensure(cluster, bootstrap.nowMs, "scheduling.k8s.io", "priorityclasses", undefined, {
      metadata: { name },
      value,
    });
  }
  for (const { plural, object } of defaultRbacObjects()) {
    ensure(cluster, bootstrap.nowMs, RBAC_GROUP, plural, undefined, object);
    complete(cluster, `${RBAC_GROUP}/${plural}`, object);
  }
  ensureKubernetesService(cluster, bootstrap);
}

/** The Service that pods find the API server by. */
export function ensureKubernetesService(cluster: Cluster, bootstrap: Bootstrap): void {
  ensure(cluster, bootstrap.nowMs, "", "services", "default", kubernetesService(bootstrap));
}

function complete({ store }: Cluster, resource: string, wanted: JsonObject): void {
  const existing = store.get(resource, "", textAt(wanted, "metadata", "name") ?? "");
  const object = existing && reconciled(existing.object, wanted);
  if (object !== undefined) store.commit([{ kind: "put", resource, object }]);
}

function kubernetesService(bootstrap: Bootstrap): JsonObject {
  return {
    metadata: { name: "kubernetes", labels: { component: "apiserver", provider: "kubernetes" } },
    spec: {
      clusterIP: addressAt(bootstrap.serviceRange, 1),
      ports: [{ name: "https", port: 443, protocol: "TCP", targetPort: bootstrap.securePort }],
      type: "ClusterIP",
    },
  };
}

function ensure(
  cluster: Cluster,
  nowMs: number,
  group: string,
  plural: string,
  namespace: string | undefined,
  object: JsonObject,
): void {
  const served = cluster.registry.find(group, "v1", plural);
  if (served === undefined) return;
  const metadata = object["metadata"] as JsonObject;
  const name = String(metadata["name"]);
  const key = resourceKey(served.resource);
  if (cluster.store.get(key, namespace ?? "", name) !== undefined) return;
  const request: WriteRequest = {
    served,
    key,
    namespace,
    name: undefined,
    subresource: undefined,
    options: { dryRun: false, fieldValidation: "Strict", fieldManager: "kube-apiserver", force: false },
    user: API_SERVER,
    nowMs,
    warnings: [],
  };
  createObject(cluster, request, decodeObject(request, object));
}
