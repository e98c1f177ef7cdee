/** From what the user named to the pods that are meant. */

import {
  DAEMON_SETS,
  DEPLOYMENTS,
  formatRequirements,
  JOBS,
  type KubernetesClient,
  type KubernetesObject,
  type LabelSelector,
  nameOf,
  namespaceOf,
  PODS,
  type Pod,
  REPLICA_SETS,
  type ResourceType,
  requirementsOf,
  SERVICES,
  STATEFUL_SETS,
} from "@meltemi/kubernetes";
import { MeshError } from "@meltemi/runtime";
import { nearestName } from "@meltemi/validation";
import type { Target, TargetKind } from "./target.ts";

export interface Lookup {
  readonly client: KubernetesClient;
  readonly signal: AbortSignal;
}

interface Selecting extends KubernetesObject {
  readonly spec?: { readonly selector?: unknown };
}

const TYPES: Readonly<Record<Exclude<TargetKind, "pod">, ResourceType<Selecting>>> = {
  deployment: DEPLOYMENTS as ResourceType<Selecting>,
  daemonset: DAEMON_SETS as ResourceType<Selecting>,
  statefulset: STATEFUL_SETS as ResourceType<Selecting>,
  replicaset: REPLICA_SETS as ResourceType<Selecting>,
  job: JOBS as ResourceType<Selecting>,
  service: SERVICES as ResourceType<Selecting>,
};

/** Those that run, the ready ones first. Throws NOT_FOUND that says what is there instead. */
export async function findPods(target: Target, lookup: Lookup): Promise<readonly Pod[]> {
  const { name, namespace } = target;
  if (target.kind === "pod") return [await findPod(target, lookup)];
  const object = await lookup.client.get(TYPES[target.kind], { name, namespace }, lookup);
  if (object === undefined) throw new MeshError("NOT_FOUND", `${target.kind} ${namespace}/${name} not found`);
  const labelSelector = selectorText(target.kind, object.spec?.selector);
  if (labelSelector === "")
    throw new MeshError("NOT_FOUND", `${target.kind} ${namespace}/${name} selects no pods`);
  const pods = await podsWith({ namespace, labelSelector }, lookup);
  if (pods.length === 0)
    throw new MeshError("NOT_FOUND", `${target.kind} ${namespace}/${name} has no running pods`);
  return pods;
}

/** Running pods, the ready ones first. */
export async function podsWith(
  selection: {
    readonly namespace?: string;
    readonly labelSelector?: string;
    readonly fieldSelector?: string;
  },
  { client, signal }: Lookup,
): Promise<readonly Pod[]> {
  const { items } = await client.list(PODS, { ...selection, signal });
  const running = items.filter(
    (pod) => pod.status?.phase === "Running" && pod.metadata?.deletionTimestamp === undefined,
  );
  return running.toSorted((a, b) => Number(isReady(b)) - Number(isReady(a)));
}

function isReady(pod: Pod): boolean {
  return pod.status?.conditions?.some(({ type, status }) => type === "Ready" && status === "True") ?? false;
}

async function findPod({ name, namespace }: Target, lookup: Lookup): Promise<Pod> {
  const pod = await lookup.client.get(PODS, { name, namespace }, lookup);
  if (pod !== undefined) return pod;
  const { items } = await lookup.client.list(PODS, { namespace, signal: lookup.signal });
  throw new MeshError(
    "NOT_FOUND",
    `pod ${namespace}/${name} not found${insteadOf(
      name,
      items.map((other) => nameOf(other)),
    )}`,
  );
}

/** More would not be read. */
const SHOWN_CANDIDATES = 5;

function insteadOf(name: string, others: readonly string[]): string {
  const longer = others.filter((other) => other.startsWith(`${name}-`));
  if (longer.length > 0) {
    const shown = longer.slice(0, SHOWN_CANDIDATES).join(", ");
    const more = longer.length > SHOWN_CANDIDATES ? `, and ${longer.length - SHOWN_CANDIDATES} more` : "";
    return `; ${longer.length === 1 ? "there is" : "it could be any of"} ${shown}${more}; or name deploy/${name}`;
  }
  const near = nearestName(name, others);
  return near === undefined ? "" : `; did you mean ${near}?`;
}

function selectorText(kind: TargetKind, selector: unknown): string {
  if (typeof selector !== "object" || selector === null) return "";
  const full: LabelSelector =
    kind === "service" ? { matchLabels: selector as LabelSelector["matchLabels"] & {} } : selector;
  const read = requirementsOf(full);
  return read.kind === "ok" ? formatRequirements(read.requirements) : "";
}

/** `<name>.<namespace>`, as Istio prints pods. */
export function podText(pod: Pod): string {
  return `${nameOf(pod)}.${namespaceOf(pod)}`;
}
