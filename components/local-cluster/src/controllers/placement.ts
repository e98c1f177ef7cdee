/** Whether a pod may run on a node: selectors, affinity, taints. Pure; used by the scheduler and by daemon sets. */

import { matchesRequirements, type Node, nameOf, type Requirement } from "@meltemi/kubernetes";
import type {
  NodeSelectorRequirement,
  NodeSelectorTerm,
  PodSpec,
  Taint,
  Toleration,
} from "kubernetes-types/core/v1.js";

export type Fit = { readonly kind: "fits" } | { readonly kind: "refused"; readonly reason: string };

const FITS: Fit = { kind: "fits" };

/** Everything but what other pods occupy. The reason is that of kube-scheduler. */
export function fitsNode(spec: PodSpec, node: Node): Fit {
  if (node.spec?.unschedulable === true && !toleratesTaint(spec, UNSCHEDULABLE))
    return { kind: "refused", reason: "node(s) were unschedulable" };
  if (!matchesNodeRules(spec, node))
    return { kind: "refused", reason: "node(s) didn't match Pod's node affinity/selector" };
  const taint = (node.spec?.taints ?? []).find(
    (each) => each.effect !== "PreferNoSchedule" && !toleratesTaint(spec, each),
  );
  if (taint !== undefined)
    return { kind: "refused", reason: `node(s) had untolerated taint {${taint.key}: ${taint.value ?? ""}}` };
  return FITS;
}

const UNSCHEDULABLE: Taint = { key: "node.kubernetes.io/unschedulable", effect: "NoSchedule" };

/** `nodeSelector` and the required node affinity. */
export function matchesNodeRules(spec: PodSpec, node: Node): boolean {
  const labels = node.metadata?.labels ?? {};
  if (!Object.entries(spec.nodeSelector ?? {}).every(([key, value]) => labels[key] === value)) return false;
  const required = spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  return required === undefined || required.nodeSelectorTerms.some((term) => matchesTerm(term, node));
}

/** All of a term must hold; an empty term matches no node. */
export function matchesTerm(term: NodeSelectorTerm, node: Node): boolean {
  const expressions = term.matchExpressions ?? [];
  const fields = term.matchFields ?? [];
  if (expressions.length + fields.length === 0) return false;
  return (
    expressions.every((each) => holds(each, node.metadata?.labels ?? {})) &&
    fields.every((each) => holds(each, { "metadata.name": nameOf(node) }))
  );
}

function holds(rule: NodeSelectorRequirement, labels: Readonly<Record<string, string>>): boolean {
  const { key, operator, values = [] } = rule;
  if (operator === "Gt" || operator === "Lt") {
    const actual = Number(labels[key] ?? Number.NaN);
    return operator === "Gt" ? actual > Number(values[0]) : actual < Number(values[0]);
  }
  const requirements: Readonly<Record<string, Requirement>> = {
    In: { kind: "in", key, values },
    NotIn: { kind: "notIn", key, values },
    Exists: { kind: "exists", key },
    DoesNotExist: { kind: "absent", key },
  };
  const requirement = requirements[operator];
  return requirement !== undefined && matchesRequirements([requirement], labels);
}

export function toleratesTaint(spec: PodSpec, taint: Taint): boolean {
  return (spec.tolerations ?? []).some((toleration) => tolerates(toleration, taint));
}

function tolerates(toleration: Toleration, taint: Taint): boolean {
  if (toleration.effect !== undefined && toleration.effect !== "" && toleration.effect !== taint.effect)
    return false;
  const anyKey = toleration.key === undefined || toleration.key === "";
  if (toleration.operator === "Exists") return anyKey || toleration.key === taint.key;
  return toleration.key === taint.key && (toleration.value ?? "") === (taint.value ?? "");
}
