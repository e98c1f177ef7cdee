/** All objects of a cluster that say something of the mesh. */

import {
  AUTHORIZATION_POLICIES,
  apiVersionOf,
  type CustomObject,
  DAEMON_SETS,
  DEPLOYMENTS,
  DESTINATION_RULES,
  GATEWAY_CLASSES,
  GATEWAYS,
  GRPC_ROUTES,
  HTTP_ROUTES,
  isNotFound,
  type KubernetesObject,
  NAMESPACES,
  NETWORK_POLICIES,
  PEER_AUTHENTICATIONS,
  PODS,
  RATE_LIMIT_POLICIES,
  REQUEST_AUTHENTICATIONS,
  type ResourceType,
  SERVICE_ENTRIES,
  SERVICES,
  statusOf,
  TCP_ROUTES,
  TELEMETRIES,
  TLS_ROUTES,
  VIRTUAL_SERVICES,
  WORKLOAD_ENTRIES,
} from "@meltemi/kubernetes";
import type { Lookup } from "../reach/find-pods.ts";
import { type MeshObject, ObjectSet, readObject } from "./object-set.ts";

function istio(group: string, version: string, plural: string, kind: string): ResourceType<CustomObject> {
  return { group, version, plural, kind, namespaced: true };
}

/** Kinds that only sidecars and gateways obey: they are looked at to say so. */
const OTHERS = [
  istio("networking.istio.io", "v1", "sidecars", "Sidecar"),
  istio("networking.istio.io", "v1alpha3", "envoyfilters", "EnvoyFilter"),
  istio("extensions.istio.io", "v1alpha1", "wasmplugins", "WasmPlugin"),
];

const TYPES: readonly ResourceType[] = [
  NAMESPACES,
  PODS,
  SERVICES,
  DAEMON_SETS,
  DEPLOYMENTS,
  NETWORK_POLICIES,
  GATEWAY_CLASSES,
  GATEWAYS,
  HTTP_ROUTES,
  GRPC_ROUTES,
  TCP_ROUTES,
  TLS_ROUTES,
  AUTHORIZATION_POLICIES,
  PEER_AUTHENTICATIONS,
  REQUEST_AUTHENTICATIONS,
  VIRTUAL_SERVICES,
  DESTINATION_RULES,
  SERVICE_ENTRIES,
  WORKLOAD_ENTRIES,
  TELEMETRIES,
  RATE_LIMIT_POLICIES,
  ...OTHERS,
];

/** More calls at once would be throttled by API servers. */
const CALLS_AT_ONCE = 6;

export interface LoadedCluster {
  readonly objects: ObjectSet;
  /** Kinds that the user may not list. */
  readonly forbidden: readonly string[];
}

/** A kind of which the cluster has no definition has no objects. */
export async function loadCluster({ client, signal }: Lookup): Promise<LoadedCluster> {
  const found: MeshObject[] = [];
  const forbidden: string[] = [];
  const left = [...TYPES];
  const work = async (): Promise<void> => {
    for (let type = left.shift(); type !== undefined; type = left.shift()) {
      try {
        const { items } = await client.list<KubernetesObject>(type, { signal });
        for (const item of items) {
          const typed = { apiVersion: apiVersionOf(type), kind: type.kind, ...item };
          const object = readObject(typed);
          if (object !== undefined) found.push(object);
        }
      } catch (error) {
        if (statusOf(error)?.code === 403) forbidden.push(type.kind);
        else if (!isNotFound(error)) throw error;
      }
    }
  };
  await Promise.all(Array.from({ length: CALLS_AT_ONCE }, work));
  return { objects: new ObjectSet(found), forbidden: forbidden.sort() };
}
