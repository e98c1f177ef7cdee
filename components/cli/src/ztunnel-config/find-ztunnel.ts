/** Which ztunnel is asked: the one that was named, that of a node, or that of a workload's node (reference: l7-and-cli §3.3). */

import { nameOf, namespaceOf, PODS, type Pod } from "@meltemi/kubernetes";
import { MeshError } from "@meltemi/runtime";
import { findPods, type Lookup, podsWith } from "../reach/find-pods.ts";
import { parseTarget } from "../reach/target.ts";
import type { EntryFilter } from "./entries.ts";

const ZTUNNEL_SELECTOR = "app=ztunnel";

export interface ZtunnelQuestion {
  /** `[<type>/]<name>[.<namespace>]` of a ztunnel or of a workload. */
  readonly target: string | undefined;
  readonly node: string | undefined;
  readonly namespace: string;
  readonly istioNamespace: string;
}

export interface FoundZtunnel {
  readonly pod: Pod;
  /** The workload that was named, when it was no ztunnel. */
  readonly workload: EntryFilter["workload"];
}

export async function findZtunnel(question: ZtunnelQuestion, lookup: Lookup): Promise<FoundZtunnel> {
  const { target, node, istioNamespace } = question;
  if (target === undefined)
    return { pod: await ztunnelOf(node, istioNamespace, lookup), workload: undefined };
  const [pod] = await findPods(parseTarget(target, defaultNamespace(target, question)), lookup);
  if (pod === undefined) throw new MeshError("NOT_FOUND", `${target}: no running pod`);
  if (isZtunnel(pod)) return { pod, workload: undefined };
  const placed = pod.spec?.nodeName;
  if (placed === undefined)
    throw new MeshError("NOT_FOUND", `pod ${namespaceOf(pod)}/${nameOf(pod)} is not on a node yet`);
  return {
    pod: await ztunnelOf(placed, istioNamespace, lookup),
    workload: { namespace: namespaceOf(pod), name: nameOf(pod) },
  };
}

/** A pod that is called as ztunnel's pods are is looked for where they are. */
function defaultNamespace(target: string, { namespace, istioNamespace }: ZtunnelQuestion): string {
  return /(^|\/)ztunnel(-[a-z0-9]+)?$/.test(target) ? istioNamespace : namespace;
}

function isZtunnel(pod: Pod): boolean {
  return pod.metadata?.labels?.["app"] === "ztunnel";
}

/** Of one node, or any that is ready. */
async function ztunnelOf(node: string | undefined, namespace: string, lookup: Lookup): Promise<Pod> {
  const all = await allZtunnels(namespace, lookup);
  const [pod] = node === undefined ? all : all.filter(({ spec }) => spec?.nodeName === node);
  if (pod !== undefined) return pod;
  const { client, signal } = lookup;
  const elsewhere = await client.list(PODS, { labelSelector: ZTUNNEL_SELECTOR, signal });
  const other = elsewhere.items.map(namespaceOf).find((one) => one !== namespace);
  const where = node === undefined ? "" : ` on node ${node}`;
  const hint =
    all.length > 0
      ? `; they run on ${all
          .map(({ spec }) => spec?.nodeName ?? "")
          .sort()
          .join(", ")}`
      : other === undefined
        ? "; is the mesh installed? See: istioctl version"
        : `; there are some in ${other}: use -i ${other}`;
  throw new MeshError("NOT_FOUND", `no running ztunnel in namespace ${namespace}${where}${hint}`);
}

export async function allZtunnels(namespace: string, lookup: Lookup): Promise<readonly Pod[]> {
  return podsWith({ namespace, labelSelector: ZTUNNEL_SELECTOR }, lookup);
}
