/** What users made of the mesh's kinds: it goes with the definitions, and they should know before it does. */

import {
  CUSTOM_RESOURCE_DEFINITIONS,
  type CustomObject,
  type CustomResourceDefinition,
  type KubernetesClient,
  type ResourceType,
} from "@meltemi/kubernetes";

/** `3 AuthorizationPolicy`, one for each kind that has objects. */
export async function countLost(client: KubernetesClient, signal: AbortSignal): Promise<readonly string[]> {
  const labelSelector = "install.operator.istio.io/owning-resource=installed-state";
  const definitions = (await client.list(CUSTOM_RESOURCE_DEFINITIONS, { labelSelector, signal })).items;
  const lost: string[] = [];
  for (const definition of definitions) {
    const type = servedType(definition);
    if (type === undefined) continue;
    const { items } = await client.list(type, { signal });
    if (items.length > 0) lost.push(`${items.length} ${type.kind}`);
  }
  return lost;
}

function servedType({ spec }: CustomResourceDefinition): ResourceType<CustomObject> | undefined {
  const version = spec.versions.find((each) => each.served)?.name;
  if (version === undefined) return undefined;
  const { kind, plural } = spec.names;
  return { group: spec.group, version, plural, kind, namespaced: spec.scope === "Namespaced" };
}
