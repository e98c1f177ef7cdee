/** Brings what a plan says into the cluster: server-side apply, and nothing that is somebody else's (reference: l7-and-cli §1.7). */

import {
  DEPLOYMENTS,
  type Deployment,
  GATEWAYS,
  type Gateway,
  HORIZONTAL_POD_AUTOSCALERS,
  isNotServed,
  type KubernetesClient,
  type KubernetesObject,
  nameOf,
  namespaceOf,
  POD_DISRUPTION_BUDGETS,
  type ResourceType,
  refOf,
  SERVICE_ACCOUNTS,
  SERVICES,
} from "@meltemi/kubernetes";
import { describeError, type Logger } from "@meltemi/runtime";
import { annotationOf, CONTROLLER_VERSION_ANNOTATION, generatedName, MANAGED_LABEL } from "./metadata.ts";
import { CONTROLLER_VERSION, missingReplicas, type PlannedObject } from "./plan.ts";
import type { Part } from "./render.ts";

export interface WriteDependencies {
  readonly client: Pick<KubernetesClient, "get" | "apply" | "patch" | "delete">;
  readonly log: Logger;
  /** Parts of which this cluster has no API: told once, not with every look. */
  readonly leftOut: Set<Part>;
}

/** Istio's own, so that a control plane that takes over finds its fields. */
export const FIELD_MANAGER = "istio.io/gateway-controller";
/** Replicas are set once and are not this controller's afterwards: another name owns the field. */
const REPLICAS_FIELD_MANAGER = "istio.io/gateway-controller-replicas";

const TYPES: Readonly<Record<Part, ResourceType>> = {
  serviceAccount: SERVICE_ACCOUNTS,
  service: SERVICES,
  deployment: DEPLOYMENTS,
  horizontalPodAutoscaler: HORIZONTAL_POD_AUTOSCALERS,
  podDisruptionBudget: POD_DISRUPTION_BUDGETS,
};
const OPTIONAL_PARTS: readonly Part[] = ["horizontalPodAutoscaler", "podDisruptionBudget"];

/** Marks the Gateway as taken by controllers of this version. */
export async function claimGateway(
  gateway: Gateway,
  { client }: WriteDependencies,
  signal: AbortSignal,
): Promise<void> {
  const version = String(CONTROLLER_VERSION);
  if (annotationOf(gateway, CONTROLLER_VERSION_ANNOTATION) === version) return;
  const body = { metadata: { annotations: { [CONTROLLER_VERSION_ANNOTATION]: version } } };
  await client.patch(
    GATEWAYS,
    refOf(gateway),
    { kind: "merge", body },
    { fieldManager: FIELD_MANAGER, signal },
  );
}

export async function writeObjects(
  gateway: Gateway,
  objects: readonly PlannedObject[],
  deps: WriteDependencies,
  signal: AbortSignal,
): Promise<void> {
  for (const each of objects)
    await whereServed(each.part, deps, () => writeObject(gateway, each, objects, deps, signal));
  for (const part of OPTIONAL_PARTS)
    if (!objects.some((each) => each.part === part)) await removePart(gateway, part, deps, signal);
}

/** A cluster without the API of an autoscaler or a budget has its waypoints without them. */
async function whereServed(
  part: Part,
  deps: WriteDependencies,
  write: () => Promise<boolean>,
): Promise<void> {
  const { leftOut, log } = deps;
  try {
    if (await write()) leftOut.delete(part);
  } catch (error) {
    if (!OPTIONAL_PARTS.includes(part) || !isNotServed(error)) throw error;
    if (leftOut.has(part)) return;
    leftOut.add(part);
    const { kind } = TYPES[part];
    log.warn("waypoints are deployed without it", { kind, why: describeError(error) });
  }
}

/** True when it was written: false for what is somebody else's. */
async function writeObject(
  gateway: Gateway,
  { part, object }: PlannedObject,
  objects: readonly PlannedObject[],
  deps: WriteDependencies,
  signal: AbortSignal,
): Promise<boolean> {
  const type = TYPES[part];
  const planned = object as KubernetesObject;
  const existing = await deps.client.get(type, refOf(planned), { signal });
  const stranger = existing && strangerOf(existing, gateway);
  if (stranger !== undefined) {
    deps.log.warn("object left alone", {
      kind: type.kind,
      object: `${namespaceOf(planned)}/${nameOf(planned)}`,
      why: stranger,
    });
    return false;
  }
  await deps.client.apply(type, planned, { fieldManager: FIELD_MANAGER, force: true, signal });
  if (part === "deployment") await setReplicas(planned, existing, objects, deps, signal);
  return true;
}

/** Whose an object of the same name is; undefined when it is this Gateway's. */
function strangerOf(existing: KubernetesObject, gateway: Gateway): string | undefined {
  if (existing.metadata?.labels?.[MANAGED_LABEL] === undefined)
    return `it was there before and has no label ${MANAGED_LABEL}`;
  const owner = existing.metadata.ownerReferences?.find(({ kind }) => kind === "Gateway");
  return owner === undefined || owner.name === nameOf(gateway)
    ? undefined
    : `it belongs to Gateway ${owner.name}`;
}

async function setReplicas(
  planned: KubernetesObject,
  existing: KubernetesObject | undefined,
  objects: readonly PlannedObject[],
  { client }: WriteDependencies,
  signal: AbortSignal,
): Promise<void> {
  const replicas = missingReplicas(objects, (existing as Deployment | undefined)?.spec?.replicas);
  if (replicas === undefined) return;
  await client.patch(
    DEPLOYMENTS,
    refOf(planned),
    { kind: "merge", body: { spec: { replicas } } },
    { fieldManager: REPLICAS_FIELD_MANAGER, signal },
  );
}

/** A part that nobody asks for any more: of this Gateway, and made by this controller. */
async function removePart(
  gateway: Gateway,
  part: Part,
  { client, log }: WriteDependencies,
  signal: AbortSignal,
): Promise<void> {
  const type = TYPES[part];
  const ref = { namespace: namespaceOf(gateway), name: generatedName(gateway) };
  const existing = await client.get(type, ref, { signal }).catch((error: unknown) => {
    if (isNotServed(error)) return undefined;
    throw error;
  });
  const isOurs = existing?.metadata?.ownerReferences?.some(({ uid }) => uid === gateway.metadata?.uid);
  const uid = existing?.metadata?.uid;
  if (existing === undefined || !isOurs || uid === undefined || strangerOf(existing, gateway) !== undefined)
    return;
  if (await client.delete(type, ref, { preconditions: { uid }, signal }))
    log.info("object removed, nothing asks for it any more", {
      kind: type.kind,
      object: `${ref.namespace}/${ref.name}`,
    });
}
