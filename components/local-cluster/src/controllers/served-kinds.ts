/** Which kinds the API server serves now: namespaces must be emptied and owners followed across all of them, custom ones too. */

import type { KubernetesClient, ResourceType } from "@meltemi/kubernetes";
import { MeshError } from "@meltemi/runtime";

interface ServedResource {
  readonly name?: string;
  readonly kind?: string;
  readonly namespaced?: boolean;
  readonly verbs?: readonly string[];
}

interface GroupVersion {
  readonly group: string;
  readonly version: string;
}

/** The verbs that following, and in the end deleting, needs. */
const NEEDED_VERBS = ["list", "watch", "delete"] as const;

/** Each kind once, in the version that the server prefers; kinds that cannot be listed, watched and deleted are left out. */
export async function servedKinds(
  client: Pick<KubernetesClient, "request">,
  signal: AbortSignal,
): Promise<readonly ResourceType[]> {
  const groups = (await json(client, "/apis", signal)) as {
    groups?: readonly { preferredVersion?: { groupVersion?: string } }[];
  };
  const versions: GroupVersion[] = [{ group: "", version: "v1" }];
  for (const { preferredVersion } of groups.groups ?? []) {
    const [group, version] = (preferredVersion?.groupVersion ?? "").split("/");
    if (group && version) versions.push({ group, version });
  }
  const kinds: ResourceType[] = [];
  for (const each of versions) kinds.push(...(await kindsOf(client, each, signal)));
  return kinds;
}

async function kindsOf(
  client: Pick<KubernetesClient, "request">,
  { group, version }: GroupVersion,
  signal: AbortSignal,
): Promise<readonly ResourceType[]> {
  const path = group === "" ? `/api/${version}` : `/apis/${group}/${version}`;
  const { resources = [] } = (await json(client, path, signal)) as { resources?: readonly ServedResource[] };
  return resources.flatMap(({ name = "", kind = "", namespaced = false, verbs = [] }) => {
    // `pods/log` is a part of another kind.
    if (name === "" || kind === "" || name.includes("/")) return [];
    if (!NEEDED_VERBS.every((verb) => verbs.includes(verb))) return [];
    return [{ group, version, plural: name, kind, namespaced }];
  });
}

async function json(
  client: Pick<KubernetesClient, "request">,
  path: string,
  signal: AbortSignal,
): Promise<object> {
  const answer = await client.request({ method: "GET", path, signal });
  if (answer.status !== 200)
    throw new MeshError("UNAVAILABLE", `discover kinds at ${path}: HTTP ${answer.status}, expected 200`);
  const body: unknown = JSON.parse(answer.body);
  if (typeof body !== "object" || body === null)
    throw new MeshError("PROTOCOL_VIOLATION", `discover kinds at ${path}: expected an object`);
  return body;
}
