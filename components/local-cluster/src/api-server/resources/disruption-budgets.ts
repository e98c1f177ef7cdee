/** Whether an eviction may be, by the budgets whose status a controller keeps, and what it leaves of them. */
import { timestamp } from "../../timestamp.ts";
import { at, childObject, clone, isObject, listAt, numberAt, textAt, textMapAt } from "../json.ts";
import { isTerminating, type KubeObject, namespaceOf } from "../kube-object.ts";
import { Refusal } from "../refusal.ts";
import type { ObjectStore, Stored } from "../store/object-store.ts";
import { selectorMatches } from "./label-selector.ts";

export const BUDGETS = "policy/poddisruptionbudgets";

/**
 * The budget with one disruption less, to be stored when the pod goes; undefined where none counts.
 * @throws Refusal 429 when its budget allows none, 500 when several budgets cover the pod (as Kubernetes answers)
 */
export function takeDisruption(
  { store }: { readonly store: Pick<ObjectStore, "list"> },
  pod: Stored,
  nowMs: number,
): KubeObject | undefined {
  if (needsNoBudget(pod.object)) return undefined;
  const labels = textMapAt(pod.object, "metadata", "labels");
  const covering = store.list(BUDGETS, namespaceOf(pod.object)).filter(({ object }) => {
    const selector = at(object, "spec", "selector");
    return isObject(selector) && selectorMatches(selector, labels);
  });
  const [budget, ...more] = covering;
  if (budget === undefined) return undefined;
  if (more.length > 0)
    throw new Refusal(
      500,
      "InternalError",
      "Internal error occurred: this pod has more than one PodDisruptionBudget, which the eviction subresource does not support.",
    );
  if (isUnhealthy(pod.object) && mayGoUnhealthy(budget.object)) return undefined;
  return withOneLess(budget, pod.name, nowMs);
}

/** It serves nobody, or is on its way already. */
function needsNoBudget(pod: KubeObject): boolean {
  const phase = textAt(pod, "status", "phase") ?? "";
  return isTerminating(pod) || ["Pending", "Succeeded", "Failed"].includes(phase);
}

function isUnhealthy(pod: KubeObject): boolean {
  return !listAt(pod, "status", "conditions").some(
    (condition) => textAt(condition, "type") === "Ready" && textAt(condition, "status") === "True",
  );
}

/** unhealthyPodEvictionPolicy: always, or (by default) while enough others are healthy. */
function mayGoUnhealthy(budget: KubeObject): boolean {
  if (textAt(budget, "spec", "unhealthyPodEvictionPolicy") === "AlwaysAllow") return true;
  const desired = numberAt(budget, "status", "desiredHealthy") ?? 0;
  return desired > 0 && (numberAt(budget, "status", "currentHealthy") ?? 0) >= desired;
}

function withOneLess(budget: Stored, pod: string, nowMs: number): KubeObject {
  const { object, name } = budget;
  const allowed = numberAt(object, "status", "disruptionsAllowed") ?? 0;
  const isCurrent =
    (numberAt(object, "status", "observedGeneration") ?? 0) >=
    (numberAt(object, "metadata", "generation") ?? 0);
  if (allowed <= 0 || !isCurrent) {
    const needed = numberAt(object, "status", "desiredHealthy") ?? 0;
    const healthy = numberAt(object, "status", "currentHealthy") ?? 0;
    const why = isCurrent
      ? `The disruption budget ${name} needs ${needed} healthy pods and has ${healthy} currently`
      : `The disruption budget ${name} is still being processed by the server.`;
    throw new Refusal(
      429,
      "TooManyRequests",
      "Cannot evict pod as it would violate the pod's disruption budget.",
      { causes: [{ reason: "DisruptionBudget", message: why }] },
    );
  }
  const next = clone(object);
  const status = childObject(next, "status");
  status["disruptionsAllowed"] = allowed - 1;
  childObject(status, "disruptedPods")[pod] = timestamp(nowMs);
  return next;
}
