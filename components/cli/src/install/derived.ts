/** What a control plane made itself, and `tag set`: no label of the installation is on it. */

import {
  CONFIG_MAPS,
  GATEWAY_CLASSES,
  isNotFound,
  type KubernetesClient,
  type KubernetesObject,
  LEASES,
  nameOf,
  type ResourceType,
  SECRETS,
  SERVICES,
} from "@meltemi/kubernetes";
import { WAYPOINT_CLASS } from "../waypoint/gateway.ts";

/** The key of the control plane's own authority. */
const OWN_AUTHORITY = "istio-ca-secret";
/** Leases of its leaders: one for each of their duties and, with revisions, for each revision. */
const LEADERS =
  /^(?:istio-(?:status-leader|gateway-deployment|node-untaint)|meltemi-validation-leader)(?:-|$)/;
/** What it publishes in every namespace. */
const PUBLISHED = ["istio-ca-root-cert", "istio-ca-crl"] as const;

/** Objects of which one line tells. */
export interface Derived {
  readonly type: ResourceType;
  readonly objects: readonly KubernetesObject[];
  /** After `removed` or `would remove`. */
  readonly text: string;
}

/** In the order in which they go: roots first, the key after them. */
export async function findDerived(
  istioNamespace: string,
  client: KubernetesClient,
  signal: AbortSignal,
): Promise<readonly Derived[]> {
  const inMesh = { namespace: istioNamespace, signal };
  const derived: Derived[] = [];
  for (const name of PUBLISHED) {
    const { items } = await client.list(CONFIG_MAPS, { fieldSelector: `metadata.name=${name}`, signal });
    const places = items.length === 1 ? "1 namespace" : `${items.length} namespaces`;
    if (items.length > 0)
      derived.push({ type: CONFIG_MAPS, objects: items, text: `ConfigMap/${name} from ${places}` });
  }
  derived.push(...(await waypointClass(client, signal)));
  const key = await client.get(SECRETS, { namespace: istioNamespace, name: OWN_AUTHORITY }, { signal });
  if (key !== undefined)
    derived.push({
      type: SECRETS,
      objects: [key],
      text: `Secret/${OWN_AUTHORITY}: the key of the mesh; the next installation makes another`,
    });
  const tags = await client.list(SERVICES, { ...inMesh, labelSelector: "app=istiod,istio.io/tag" });
  const leases = await client.list(LEASES, inMesh);
  return [
    ...derived,
    ...tags.items.map((tag) => single(SERVICES, tag)),
    ...leases.items.filter((one) => LEADERS.test(nameOf(one))).map((lease) => single(LEASES, lease)),
  ];
}

async function waypointClass(client: KubernetesClient, signal: AbortSignal): Promise<readonly Derived[]> {
  const found = await client
    .get(GATEWAY_CLASSES, { name: WAYPOINT_CLASS }, { signal })
    // Its definition has gone already.
    .catch((error: unknown) => {
      if (isNotFound(error)) return undefined;
      throw error;
    });
  return found?.spec?.controllerName === "istio.io/mesh-controller" ? [single(GATEWAY_CLASSES, found)] : [];
}

function single(type: ResourceType, object: KubernetesObject): Derived {
  return { type, objects: [object], text: `${type.kind}/${nameOf(object)}` };
}
