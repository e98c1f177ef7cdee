/** What a user calls a pod: `[<type>/]<name>[.<namespace>]` (reference: l7-and-cli §3.0). Pure. */

import { MeshError } from "@meltemi/runtime";

export type TargetKind =
  | "pod"
  | "deployment"
  | "daemonset"
  | "statefulset"
  | "replicaset"
  | "service"
  | "job";

export interface Target {
  readonly kind: TargetKind;
  readonly name: string;
  readonly namespace: string;
}

const KINDS: Readonly<Record<string, TargetKind>> = {
  pod: "pod",
  pods: "pod",
  po: "pod",
  deployment: "deployment",
  deployments: "deployment",
  deploy: "deployment",
  daemonset: "daemonset",
  daemonsets: "daemonset",
  ds: "daemonset",
  statefulset: "statefulset",
  statefulsets: "statefulset",
  sts: "statefulset",
  replicaset: "replicaset",
  replicasets: "replicaset",
  rs: "replicaset",
  service: "service",
  services: "service",
  svc: "service",
  job: "job",
  jobs: "job",
};

/** Names of Kubernetes objects, dots included. */
const NAME = /^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/;

/** What follows the last dot is the namespace. Throws INPUT_INVALID. */
export function parseTarget(text: string, defaultNamespace: string, defaultKind: TargetKind = "pod"): Target {
  const slash = text.indexOf("/");
  const type = text.slice(0, Math.max(0, slash)).toLowerCase();
  const kind = slash < 0 ? defaultKind : Object.hasOwn(KINDS, type) ? KINDS[type] : undefined;
  if (kind === undefined)
    throw refused(text, `a type such as pod, deploy, ds, sts, svc, got ${JSON.stringify(type)}`);
  const rest = text.slice(slash + 1);
  const dot = rest.lastIndexOf(".");
  const [name, namespace] = dot < 0 ? [rest, defaultNamespace] : [rest.slice(0, dot), rest.slice(dot + 1)];
  if (!NAME.test(name) || !NAME.test(namespace)) throw refused(text, "[<type>/]<name>[.<namespace>]");
  return { kind, name, namespace };
}

function refused(text: string, expected: string): MeshError {
  return new MeshError("INPUT_INVALID", `read ${JSON.stringify(text.slice(0, 300))}: expected ${expected}`);
}
