/** Which node a pod goes to: those that fit, then the one that suits best. */

import { matchesLabelSelector, type Node, nameOf, namespaceOf, type Pod } from "@meltemi/kubernetes";
import type { PodAffinityTerm, TopologySpreadConstraint } from "kubernetes-types/core/v1.js";
import { fitsNode, matchesTerm, toleratesTaint } from "./placement.ts";
import { isFinished } from "./pod-state.ts";

export interface ScheduleView {
  readonly pod: Pod;
  readonly nodes: readonly Node[];
  /** Pods that have a node, all namespaces. */
  readonly placed: readonly Pod[];
}

export type Placement =
  | { readonly kind: "node"; readonly name: string }
  | { readonly kind: "unschedulable"; readonly message: string };

/** Kubernetes' own default for a node that names none. */
const DEFAULT_NODE_PODS = 110;

export function decideSchedule(view: ScheduleView): Placement {
  const byNode = groupByNode(view.placed);
  const reasons = new Map<string, number>();
  let best: { readonly name: string; readonly score: number } | undefined;
  for (const node of view.nodes) {
    const there = byNode.get(nameOf(node)) ?? [];
    const reason = refusal(view, node, there, byNode);
    if (reason !== undefined) {
      reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
      continue;
    }
    const score = scoreOf(view, node, there, byNode);
    const name = nameOf(node);
    // Equal scores: the name decides, so that the same view gives the same answer.
    if (best === undefined || score > best.score || (score === best.score && name < best.name))
      best = { name, score };
  }
  if (best !== undefined) return { kind: "node", name: best.name };
  const why = [...reasons].map(([reason, count]) => `${count} ${reason}`).sort();
  return {
    kind: "unschedulable",
    message: `0/${view.nodes.length} nodes are available${why.length === 0 ? "" : `: ${why.join(", ")}`}.`,
  };
}

function groupByNode(placed: readonly Pod[]): ReadonlyMap<string, readonly Pod[]> {
  return Map.groupBy(
    placed.filter((pod) => !isFinished(pod)),
    (pod) => pod.spec?.nodeName ?? "",
  );
}

type ByNode = ReadonlyMap<string, readonly Pod[]>;

function refusal(view: ScheduleView, node: Node, there: readonly Pod[], byNode: ByNode): string | undefined {
  const spec = view.pod.spec ?? { containers: [] };
  const fit = fitsNode(spec, node);
  if (fit.kind === "refused") return fit.reason;
  const capacity = Number(node.status?.allocatable?.["pods"] ?? DEFAULT_NODE_PODS);
  if (there.length >= capacity) return "Too many pods";
  const taken = new Set(there.flatMap(hostPorts));
  if (hostPorts(view.pod).some((port) => taken.has(port)))
    return "node(s) didn't have free ports for the requested pod ports";
  const apart = spec.affinity?.podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? [];
  if (apart.some((term) => countMatches(view, term, node, byNode) > 0))
    return "node(s) didn't match pod anti-affinity rules";
  const together = spec.affinity?.podAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? [];
  if (together.some((term) => !attracts(view, term, node, byNode)))
    return "node(s) didn't match pod affinity rules";
  const hard = (spec.topologySpreadConstraints ?? []).filter(
    (each) => each.whenUnsatisfiable !== "ScheduleAnyway",
  );
  if (hard.some((constraint) => skewAfter(view, constraint, node, byNode) > constraint.maxSkew))
    return "node(s) didn't match pod topology spread constraints";
  return undefined;
}

function hostPorts(pod: Pod): readonly string[] {
  const containers = pod.spec?.containers ?? [];
  return containers
    .flatMap((container) => container.ports ?? [])
    .flatMap(({ hostPort, protocol = "TCP" }) =>
      hostPort === undefined || hostPort === 0 ? [] : [`${protocol}/${hostPort}`],
    );
}

/** The first pod of a group has nobody to be beside: it may stand where its own labels match the term. */
function attracts(view: ScheduleView, term: PodAffinityTerm, node: Node, byNode: ByNode): boolean {
  if (countMatches(view, term, node, byNode) > 0) return true;
  const anywhere = view.nodes.some((other) => countMatches(view, term, other, byNode) > 0);
  return !anywhere && matchesLabelSelector(term.labelSelector, view.pod.metadata?.labels);
}

/** Pods that the term means, in the topology domain of the node. A node without the label is no domain. */
function countMatches(view: ScheduleView, term: PodAffinityTerm, node: Node, byNode: ByNode): number {
  const namespaces = term.namespaces ?? [namespaceOf(view.pod)];
  return countInDomain(
    view,
    term.topologyKey,
    node,
    byNode,
    (pod) =>
      namespaces.includes(namespaceOf(pod)) && matchesLabelSelector(term.labelSelector, pod.metadata?.labels),
  );
}

function countInDomain(
  view: ScheduleView,
  topologyKey: string,
  node: Node,
  byNode: ByNode,
  matches: (pod: Pod) => boolean,
): number {
  const domain = domainOf(node, topologyKey);
  if (domain === undefined) return 0;
  let count = 0;
  for (const other of view.nodes) {
    if (domainOf(other, topologyKey) !== domain) continue;
    count += (byNode.get(nameOf(other)) ?? []).filter(matches).length;
  }
  return count;
}

function domainOf(node: Node, topologyKey: string): string | undefined {
  return (
    node.metadata?.labels?.[topologyKey] ??
    (topologyKey === "kubernetes.io/hostname" ? nameOf(node) : undefined)
  );
}

/** How far the fullest domain would be above the emptiest with the pod on this node. */
function skewAfter(
  view: ScheduleView,
  constraint: TopologySpreadConstraint,
  node: Node,
  byNode: ByNode,
): number {
  const { topologyKey, labelSelector } = constraint;
  const matches = (pod: Pod): boolean =>
    namespaceOf(pod) === namespaceOf(view.pod) && matchesLabelSelector(labelSelector, pod.metadata?.labels);
  const spec = view.pod.spec ?? { containers: [] };
  const eligible = view.nodes.filter(
    (other) => fitsNode(spec, other).kind === "fits" && domainOf(other, topologyKey) !== undefined,
  );
  const counts = eligible.map((other) => countInDomain(view, topologyKey, other, byNode, matches));
  return (
    countInDomain(view, topologyKey, node, byNode, matches) + 1 - Math.min(...counts, Number.MAX_SAFE_INTEGER)
  );
}

/** What is asked for outweighs what merely balances. */
const PREFERENCE_WEIGHT = 100;
const SPREAD_WEIGHT = 20;
const AVOID_WEIGHT = 1000;

function scoreOf(view: ScheduleView, node: Node, there: readonly Pod[], byNode: ByNode): number {
  const spec = view.pod.spec ?? { containers: [] };
  let score = -there.length;
  for (const { weight, preference } of spec.affinity?.nodeAffinity
    ?.preferredDuringSchedulingIgnoredDuringExecution ?? [])
    if (matchesTerm(preference, node)) score += (weight / 100) * PREFERENCE_WEIGHT;
  for (const { weight, podAffinityTerm } of spec.affinity?.podAffinity
    ?.preferredDuringSchedulingIgnoredDuringExecution ?? [])
    if (countMatches(view, podAffinityTerm, node, byNode) > 0) score += (weight / 100) * PREFERENCE_WEIGHT;
  for (const { weight, podAffinityTerm } of spec.affinity?.podAntiAffinity
    ?.preferredDuringSchedulingIgnoredDuringExecution ?? [])
    score -= countMatches(view, podAffinityTerm, node, byNode) * (weight / 100) * PREFERENCE_WEIGHT;
  for (const constraint of spec.topologySpreadConstraints ?? [])
    score -= Math.max(0, skewAfter(view, constraint, node, byNode) - 1) * SPREAD_WEIGHT;
  // As kube-scheduler's default spreading: pods of one controller on different nodes.
  score -= SPREAD_WEIGHT * there.filter((other) => haveSameController(view.pod, other)).length;
  const soft = (node.spec?.taints ?? []).filter(
    (taint) => taint.effect === "PreferNoSchedule" && !toleratesTaint(spec, taint),
  );
  return score - soft.length * AVOID_WEIGHT;
}

function haveSameController(a: Pod, b: Pod): boolean {
  const uid = a.metadata?.ownerReferences?.find((owner) => owner.controller)?.uid;
  return (
    uid !== undefined &&
    b.metadata?.ownerReferences?.some((owner) => owner.controller && owner.uid === uid) === true
  );
}
