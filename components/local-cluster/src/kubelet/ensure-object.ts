/** Makes an object, or brings an existing one in line. */

import {
  isAlreadyExists,
  type KubernetesClient,
  type KubernetesObject,
  type ResourceType,
  refOf,
} from "@meltemi/kubernetes";

/** Fields that `object` does not name stay as they are. */
export async function ensureObject<T extends KubernetesObject>(
  client: Pick<KubernetesClient, "get" | "create" | "patch">,
  type: ResourceType<T>,
  object: T,
): Promise<void> {
  const ref = refOf(object);
  if ((await client.get(type, ref)) === undefined)
    try {
      await client.create(type, object);
      return;
    } catch (error) {
      if (!isAlreadyExists(error)) throw error;
    }
  await client.patch(type, ref, { kind: "merge", body: object });
}
