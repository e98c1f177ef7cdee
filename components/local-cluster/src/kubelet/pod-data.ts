/** ConfigMaps and Secrets that a pod refers to, loaded before they are needed. */

import { CONFIG_MAPS, type ConfigMap, type Pod, SECRETS, type Secret } from "@meltemi/kubernetes";
import { fieldValue, resourceValue } from "./container/downward.ts";
import type { EnvironmentSources } from "./container/environment.ts";
import { allContainers } from "./decide-pod.ts";
import type { NodeContext } from "./node-context.ts";
import type { ContentSources } from "./volumes/contents.ts";

export interface References {
  readonly configMaps: ReadonlySet<string>;
  readonly secrets: ReadonlySet<string>;
}

/** Names of all that a pod's volumes and environment use. Pure. */
export function referencesOf(pod: Pod): References {
  const configMaps = new Set<string>();
  const secrets = new Set<string>();
  const add = (set: Set<string>, name: string | undefined): void => {
    if (name !== undefined) set.add(name);
  };
  for (const volume of pod.spec?.volumes ?? []) {
    add(configMaps, volume.configMap?.name);
    add(secrets, volume.secret?.secretName);
    for (const source of volume.projected?.sources ?? []) {
      add(configMaps, source.configMap?.name);
      add(secrets, source.secret?.name);
    }
  }
  for (const container of allContainers(pod.spec ?? { containers: [] })) {
    for (const from of container.envFrom ?? []) {
      add(configMaps, from.configMapRef?.name);
      add(secrets, from.secretRef?.name);
    }
    for (const variable of container.env ?? []) {
      add(configMaps, variable.valueFrom?.configMapKeyRef?.name);
      add(secrets, variable.valueFrom?.secretKeyRef?.name);
    }
  }
  return { configMaps, secrets };
}

export interface PodData {
  readonly environment: EnvironmentSources;
  readonly contents: Omit<ContentSources, "token">;
}

/** Loads what the pod refers to; what does not exist is simply absent. */
export async function loadPodData(
  context: NodeContext,
  pod: Pod,
  podIps: readonly string[],
): Promise<PodData> {
  const { configMaps, secrets } = referencesOf(pod);
  const namespace = pod.metadata?.namespace ?? "";
  const maps = new Map<string, ReadonlyMap<string, Buffer>>();
  const hidden = new Map<string, ReadonlyMap<string, Buffer>>();
  for (const name of configMaps) {
    // The cache may lag behind a pod that was created right after its ConfigMap.
    const found =
      context.configMaps.get(`${namespace}/${name}`) ??
      (await context.client.get(CONFIG_MAPS, { namespace, name }));
    if (found !== undefined) maps.set(name, configMapData(found));
  }
  for (const name of secrets) {
    const found =
      context.secrets.get(`${namespace}/${name}`) ?? (await context.client.get(SECRETS, { namespace, name }));
    if (found !== undefined) hidden.set(name, secretData(found));
  }
  const { address } = context.plan;
  const field = (path: string): string | undefined =>
    fieldValue({ pod, podIps, hostIps: [address.v4, address.v6] }, path);
  const resource = (container: string, name: string, divisor: string): string | undefined =>
    resourceValue(pod, container, name, divisor, context.capacity);
  return {
    environment: {
      configMap: (name) => asText(maps.get(name)),
      secret: (name) => asText(hidden.get(name)),
      field,
      resource,
    },
    contents: { configMap: (name) => maps.get(name), secret: (name) => hidden.get(name), field, resource },
  };
}

function asText(data: ReadonlyMap<string, Buffer> | undefined): ReadonlyMap<string, string> | undefined {
  if (data === undefined) return undefined;
  return new Map([...data].map(([key, value]) => [key, value.toString("utf8")]));
}

function configMapData(object: ConfigMap): ReadonlyMap<string, Buffer> {
  return new Map([
    ...Object.entries(object.data ?? {}).map(([key, value]) => [key, Buffer.from(value)] as const),
    ...Object.entries(object.binaryData ?? {}).map(
      ([key, value]) => [key, Buffer.from(value, "base64")] as const,
    ),
  ]);
}

function secretData(object: Secret): ReadonlyMap<string, Buffer> {
  return new Map(
    Object.entries(object.data ?? {}).map(([key, value]) => [key, Buffer.from(value, "base64")]),
  );
}
