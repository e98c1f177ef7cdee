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
  /** Kinds of which the user may read nothing, not even in the first of the namespaces. */
  readonly forbidden: readonly string[];
  /** Kinds that the user may list in single namespaces only: of others nothing is known. */
  readonly partial: readonly string[];
}

/**
 * A kind of which the cluster has no definition has no objects. Where a list of the whole cluster is refused, it is asked for in
 * each of `namespaces`, the one that matters first: roles of one namespace are what most users have.
 */
export async function loadCluster(
  { client, signal }: Lookup,
  namespaces: readonly string[] = [],
): Promise<LoadedCluster> {
  const found: MeshObject[] = [];
  const forbidden: string[] = [];
  const partial: string[] = [];
  const left = [...TYPES];
  const work = async (): Promise<void> => {
    for (let type = left.shift(); type !== undefined; type = left.shift()) {
      const { items, extent } = await readKind(type, namespaces, { client, signal });
      if (extent === "none") forbidden.push(type.kind);
      if (extent === "namespaces") partial.push(type.kind);
      for (const item of items) {
        const object = readObject({ apiVersion: apiVersionOf(type), kind: type.kind, ...item });
        if (object !== undefined) found.push(object);
      }
    }
  };
  await Promise.all(Array.from({ length: CALLS_AT_ONCE }, work));
  return { objects: new ObjectSet(found), forbidden: forbidden.sort(), partial: partial.sort() };
}

interface KindRead {
  readonly items: readonly KubernetesObject[];
  readonly extent: "all" | "namespaces" | "none";
}

async function readKind(
  type: ResourceType,
  namespaces: readonly string[],
  lookup: Lookup,
): Promise<KindRead> {
  const everywhere = await unlessRefused(() => listOf(type, undefined, lookup));
  if (everywhere !== undefined) return { items: everywhere, extent: "all" };
  if (!type.namespaced && type.kind !== NAMESPACES.kind) return { items: [], extent: "none" };
  const items: KubernetesObject[] = [];
  let isFirstRead = false;
  for (const [index, namespace] of [...new Set(namespaces)].entries()) {
    // A role of a namespace permits that the Namespace itself is read.
    const read = await unlessRefused(() =>
      type.namespaced ? listOf(type, namespace, lookup) : namespaceOf(namespace, lookup),
    );
    if (read === undefined) continue;
    items.push(...read);
    isFirstRead ||= index === 0;
  }
  return { items, extent: isFirstRead ? "namespaces" : "none" };
}

async function listOf(
  type: ResourceType,
  namespace: string | undefined,
  { client, signal }: Lookup,
): Promise<readonly KubernetesObject[]> {
  try {
    return (await client.list<KubernetesObject>(type, { namespace, signal })).items;
  } catch (error) {
    if (isNotFound(error)) return [];
    throw error;
  }
}

async function namespaceOf(name: string, { client, signal }: Lookup): Promise<readonly KubernetesObject[]> {
  const namespace = await client.get(NAMESPACES, { name }, { signal });
  return namespace === undefined ? [] : [namespace];
}

/** Undefined: the user may not. */
async function unlessRefused<T>(read: () => Promise<T>): Promise<T | undefined> {
  try {
    return await read();
  } catch (error) {
    if (statusOf(error)?.code === 403) return undefined;
    throw error;
  }
}
