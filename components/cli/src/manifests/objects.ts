/** The shape of a rendered Kubernetes object, and what the objects of all charts have in common. Pure. */

import type { ClusterFacts } from "./facts.ts";
import { isTree, type Tree, treeAt, valueAt } from "./tree.ts";

export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly [field: string]: unknown;
}

export type ComponentName = "Base" | "Pilot" | "Cni" | "Ztunnel";
export type Labels = Readonly<Record<string, string>>;

/** What a chart is rendered with. */
export interface ChartContext {
  /** All values of the chart. */
  readonly values: Tree;
  readonly namespace: string;
  readonly facts: ClusterFacts;
}

export const RBAC_GROUP = "rbac.authorization.k8s.io";

/** A value as text; empty where there is none. */
export function text(values: Tree, path: string): string {
  const value = valueAt(values, path);
  return value === undefined || value === null ? "" : String(value);
}

export function flag(values: Tree, path: string): boolean {
  return valueAt(values, path) === true;
}

export function list(values: Tree, path: string): readonly unknown[] {
  const value = valueAt(values, path);
  return Array.isArray(value) ? value : [];
}

export function texts(values: Tree, path: string): readonly string[] {
  return list(values, path).map(String);
}

/** `{ [key]: value }`, or nothing when the value is empty: what a chart leaves out. */
export function filled(key: string, value: unknown): Tree {
  const isEmpty =
    value === undefined ||
    value === null ||
    value === "" ||
    (Array.isArray(value) && value.length === 0) ||
    (isTree(value) && Object.keys(value).length === 0);
  return isEmpty ? {} : { [key]: value };
}

/** `default`, or the revision. */
export function revisionOf(values: Tree): string {
  return text(values, "revision") || "default";
}

/** `-<revision>`, or nothing. */
export function revisionSuffix(values: Tree): string {
  const revision = text(values, "revision");
  return revision === "" ? "" : `-${revision}`;
}

/** Which objects are asked for when two people install: those of the cluster, those in a namespace, or all. */
export function scopeOf(values: Tree): { readonly cluster: boolean; readonly namespace: boolean } {
  const scope = text(values, "global.resourceScope") || text(values, "resourceScope");
  return { cluster: scope !== "namespace", namespace: scope !== "cluster" };
}

/** Labels by which people, and `uninstall`, find what an installation owns. */
export function ownerLabels(values: Tree, component: ComponentName, name: string): Labels {
  return {
    "app.kubernetes.io/managed-by": "meltemi",
    "app.kubernetes.io/name": name,
    "app.kubernetes.io/part-of": "istio",
    "install.operator.istio.io/owning-resource": "installed-state",
    "istio.io/rev": revisionOf(values),
    "operator.istio.io/component": component,
    "operator.istio.io/managed": "Reconcile",
    "operator.istio.io/version": text(values, "tag") || text(values, "global.tag"),
  };
}

/** `docker.io/meltemi/ztunnel:0.1.0-distroless`, or the image itself where it is given in full. */
export function imageOf(name: string, hub: string, tag: string, variant: string): string {
  if (name.includes("/")) return name;
  return `${hub}/${name}:${tag}${variant === "" ? "" : `-${variant}`}`;
}

/** The image of a chart whose own hub, tag and variant come before those of all. */
export function ownImage(values: Tree): string {
  const of = (key: string): string => text(values, key) || text(values, `global.${key}`);
  return imageOf(text(values, "image"), of("hub"), of("tag"), of("variant"));
}

/**
 * Environment of a container: fields of the pod, then settings, each overridden by the layers over it. Every name once, in the order of
 * names: server-side apply refuses a name that is there twice.
 */
export function environment(
  settings: Readonly<Record<string, string>>,
  fields: Readonly<Record<string, string>>,
  layers: readonly Tree[],
): readonly object[] {
  const all = new Map(Object.entries(settings));
  for (const layer of layers) for (const [name, value] of Object.entries(layer)) all.set(name, String(value));
  const sorted = <T>(entries: Iterable<readonly [string, T]>): readonly (readonly [string, T])[] =>
    [...entries].sort(([a], [b]) => (a < b ? -1 : 1));
  return [
    ...sorted(Object.entries(fields))
      .filter(([name]) => !all.has(name))
      .map(([name, fieldPath]) => ({ name, valueFrom: { fieldRef: { apiVersion: "v1", fieldPath } } })),
    ...sorted(all).map(([name, value]) => ({ name, value })),
  ];
}

/** Requests and limits, without those that were set to null. */
export function resourcesOf(resources: Tree): Tree {
  return Object.assign(
    {},
    ...["limits", "requests"].map((kind) => {
      const amounts = Object.entries(treeAt(resources, kind)).filter(([, amount]) => Boolean(amount));
      return filled(kind, Object.fromEntries(amounts));
    }),
  );
}

/** Annotations or labels, whose values are texts. */
export function textMap(tree: Tree): Labels {
  return Object.fromEntries(Object.entries(tree).map(([key, value]) => [key, String(value)]));
}

export function serviceAccount(
  name: string,
  namespace: string,
  labels: Labels,
  values: Tree,
  pulls: string,
): Manifest {
  const annotations = textMap(treeAt(values, "serviceAccountAnnotations"));
  const secrets = texts(values, pulls).map((secret) => ({ name: secret }));
  return {
    apiVersion: "v1",
    kind: "ServiceAccount",
    metadata: { name, namespace, labels, ...(Object.keys(annotations).length > 0 && { annotations }) },
    ...filled("imagePullSecrets", secrets),
  };
}

export interface Binding {
  readonly name: string;
  readonly labels: Labels;
  readonly account: { readonly name: string; readonly namespace: string };
}

/** A role of the whole cluster and who has it. */
export function clusterRole(rules: readonly Tree[], binding: Binding): readonly Manifest[] {
  const { name, labels } = binding;
  return [
    { apiVersion: `${RBAC_GROUP}/v1`, kind: "ClusterRole", metadata: { name, labels }, rules },
    {
      apiVersion: `${RBAC_GROUP}/v1`,
      kind: "ClusterRoleBinding",
      metadata: { name, labels },
      ...grant("ClusterRole", binding),
    },
  ];
}

export function grant(kind: "ClusterRole" | "Role", { name, account }: Binding): Tree {
  return {
    roleRef: { apiGroup: RBAC_GROUP, kind, name },
    subjects: [{ kind: "ServiceAccount", ...account }],
  };
}

export interface Doors {
  readonly name: string;
  readonly namespace: string;
  readonly labels: Labels;
  readonly pods: Labels;
  readonly ports: readonly { readonly protocol: "TCP" | "UDP"; readonly port: number }[];
}

/** These ports are open to all, and pods may call out as they like. */
export function networkPolicy({ name, namespace, labels, pods, ports }: Doors): Manifest {
  return {
    apiVersion: "networking.k8s.io/v1",
    kind: "NetworkPolicy",
    metadata: { name, namespace, labels },
    spec: {
      podSelector: { matchLabels: pods },
      policyTypes: ["Ingress", "Egress"],
      ingress: [{ ports }],
      egress: [{}],
    },
  };
}

export function tcp(...ports: readonly number[]): Doors["ports"] {
  return ports.map((port) => ({ protocol: "TCP", port }));
}

/** Admits critical pods where the platform demands a quota for them. */
export function criticalPodQuota(name: string, namespace: string, labels: Labels, pods: string): Manifest {
  const only = { operator: "In", scopeName: "PriorityClass", values: ["system-node-critical"] };
  return {
    apiVersion: "v1",
    kind: "ResourceQuota",
    metadata: { name, namespace, labels },
    spec: { hard: { pods }, scopeSelector: { matchExpressions: [only] } },
  };
}
