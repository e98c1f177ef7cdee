/**
 * Which workloads an installation must hold, by what of it is still there: a component whose Deployment somebody deleted has left its
 * account, its roles and its settings behind. Pure.
 */

import { type KubernetesObject, nameOf } from "@meltemi/kubernetes";

export interface ExpectedWorkload {
  readonly kind: "Deployment" | "DaemonSet";
  /** Undefined when all that is left is cluster-wide. */
  readonly namespace: string | undefined;
  readonly name: string;
}

const COMPONENT = "operator.istio.io/component";
const REVISION = "istio.io/rev";
const NODE_PARTS: Readonly<Record<string, string>> = { Cni: "istio-cni-node", Ztunnel: "ztunnel" };
/** Revision tags make them too, for control planes that need not be of this installation. */
const OF_TAGS: readonly string[] = ["ValidatingWebhookConfiguration", "MutatingWebhookConfiguration"];

/** Workloads that are not among the objects, all of which belong to the installation and carry their kind. */
export function missingWorkloads(objects: readonly KubernetesObject[]): readonly ExpectedWorkload[] {
  const missing = new Map<string, ExpectedWorkload>();
  for (const object of objects) {
    const expected = workloadOf(object);
    if (expected === undefined || objects.some((one) => isWorkloadOf(one, object))) continue;
    const key = `${expected.kind}/${expected.name}`;
    const known = missing.get(key);
    if (known?.namespace === undefined) missing.set(key, expected);
  }
  return [...missing.values()];
}

function workloadOf(object: KubernetesObject): ExpectedWorkload | undefined {
  if (OF_TAGS.includes(object.kind ?? "")) return undefined;
  const namespace = object.metadata?.namespace;
  const component = labelOf(object, COMPONENT);
  if (component === "Pilot") {
    const revision = labelOf(object, REVISION);
    const name = revision === "" || revision === "default" ? "istiod" : `istiod-${revision}`;
    return { kind: "Deployment", namespace, name };
  }
  const name = Object.hasOwn(NODE_PARTS, component) ? NODE_PARTS[component] : undefined;
  return name === undefined ? undefined : { kind: "DaemonSet", namespace, name };
}

/** By labels, because names can be set; the node parts are one for all revisions. */
function isWorkloadOf(workload: KubernetesObject, object: KubernetesObject): boolean {
  const expected = workloadOf(object);
  if (expected === undefined || workload.kind !== expected.kind) return false;
  if (nameOf(workload) === expected.name) return true;
  if (labelOf(workload, COMPONENT) !== labelOf(object, COMPONENT)) return false;
  return workload.kind === "DaemonSet" || labelOf(workload, REVISION) === labelOf(object, REVISION);
}

function labelOf(object: KubernetesObject, label: string): string {
  return object.metadata?.labels?.[label] ?? "";
}
