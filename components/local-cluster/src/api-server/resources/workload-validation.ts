/** Validation of Deployments, ReplicaSets, DaemonSets and StatefulSets. */
import { at, isObject, type Json, numberAt, sameJson, textAt, textMapAt } from "../json.ts";
import type { KubeObject } from "../kube-object.ts";
import { type Cause, invalidValue, required, unsupported } from "../refusal.ts";
import { selectorMatches } from "./label-selector.ts";
import { labelFaults, selectorFaults } from "./names.ts";
import { podSpecFaults } from "./validation.ts";

export function workloadFaults(workload: KubeObject, previous: KubeObject | undefined): readonly Cause[] {
  const spec = workload["spec"];
  const causes = selectorFaults(at(spec, "selector"), "spec.selector", false);
  const template = at(spec, "template");
  if (!isObject(template)) return [...causes, required("spec.template")];
  const labels = at(template, "metadata", "labels");
  causes.push(...labelFaults(labels, "spec.template.metadata.labels"));
  if (causes.length === 0 && !selectorMatches(at(spec, "selector"), textMapAt(labels))) {
    const why = "`selector` does not match template `labels`";
    causes.push(invalidValue("spec.template.metadata.labels", labels ?? null, why));
  }
  causes.push(...podSpecFaults(template["spec"], "spec.template.spec"));
  causes.push(...countFaults(spec), ...restartFaults(template), ...immutableFaults(workload, previous));
  return causes;
}

function countFaults(spec: Json | undefined): Cause[] {
  const causes: Cause[] = [];
  for (const key of ["replicas", "revisionHistoryLimit", "minReadySeconds", "progressDeadlineSeconds"]) {
    const value = numberAt(spec, key);
    if (value !== undefined && value < 0) {
      causes.push(invalidValue(`spec.${key}`, value, "must be greater than or equal to 0"));
    }
  }
  const strategy = textAt(spec, "strategy", "type");
  if (strategy !== undefined && !["Recreate", "RollingUpdate"].includes(strategy)) {
    causes.push(unsupported("spec.strategy.type", strategy, ["Recreate", "RollingUpdate"]));
  }
  const update = textAt(spec, "updateStrategy", "type");
  if (update !== undefined && !["OnDelete", "RollingUpdate"].includes(update)) {
    causes.push(unsupported("spec.updateStrategy.type", update, ["OnDelete", "RollingUpdate"]));
  }
  return causes;
}

function restartFaults(template: Json): Cause[] {
  const policy = textAt(template, "spec", "restartPolicy");
  return policy === undefined || policy === "Always"
    ? []
    : [unsupported("spec.template.spec.restartPolicy", policy, ["Always"])];
}

function immutableFaults(workload: KubeObject, previous: KubeObject | undefined): Cause[] {
  if (previous === undefined || sameJson(at(workload, "spec", "selector"), at(previous, "spec", "selector")))
    return [];
  return [invalidValue("spec.selector", at(workload, "spec", "selector"), "field is immutable")];
}
