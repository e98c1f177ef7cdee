/** Which API objects of any kind belong to: what an installation holds is known, the rest is asked of the server. */

import type { KubernetesClient, ResourceType } from "@meltemi/kubernetes";
import { MeshError } from "@meltemi/runtime";
import type { Manifest } from "../manifests/objects.ts";
import { isJson, objectsAt, textAt } from "../output/json.ts";
import { kindOf } from "./kinds.ts";

interface Asking {
  readonly client: Pick<KubernetesClient, "request">;
  readonly signal: AbortSignal;
}

export type TypeOf = (object: Manifest) => ResourceType;

/** Throws NOT_FOUND for a kind that the server does not serve. */
export async function findTypes(objects: readonly Manifest[], asking: Asking): Promise<TypeOf> {
  const types = new Map<string, ResourceType>();
  for (const object of objects) {
    const key = keyOfType(object);
    if (!types.has(key)) types.set(key, knownType(object) ?? (await askType(object, asking)));
  }
  return (object) => types.get(keyOfType(object)) ?? kindOf(object);
}

function keyOfType({ apiVersion, kind }: Manifest): string {
  return `${apiVersion} ${kind}`;
}

function knownType(object: Manifest): ResourceType | undefined {
  try {
    return kindOf(object);
  } catch {
    // No chart of ours renders it.
    return undefined;
  }
}

async function askType({ apiVersion, kind }: Manifest, { client, signal }: Asking): Promise<ResourceType> {
  const path = apiVersion.includes("/") ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
  const { status, body } = await client.request({ method: "GET", path, signal });
  const found =
    status === 200
      ? resourcesOf(body).find((one) => textAt(one, "kind") === kind && !textAt(one, "name").includes("/"))
      : undefined;
  if (found === undefined)
    throw new MeshError("NOT_FOUND", `compare ${apiVersion} ${kind}: the API server has no such kind`);
  const slash = apiVersion.lastIndexOf("/");
  return {
    group: apiVersion.slice(0, Math.max(0, slash)),
    version: apiVersion.slice(slash + 1),
    plural: textAt(found, "name"),
    kind,
    namespaced: textAt(found, "namespaced") === "true",
  };
}

/** Of an APIResourceList; none of anything else. */
function resourcesOf(body: string): ReturnType<typeof objectsAt> {
  try {
    const list: unknown = JSON.parse(body);
    return isJson(list) ? objectsAt(list, "resources") : [];
  } catch {
    return [];
  }
}
