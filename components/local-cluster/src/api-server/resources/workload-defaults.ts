/** Defaults of the apps group. */
import { at, childObject, isObject, type JsonObject, setDefault, textAt } from "../json.ts";
import type { KubeObject } from "../kube-object.ts";
import { defaultPodTemplate } from "./pod-defaults.ts";

export function defaultDeployment(deployment: KubeObject): void {
  const spec = templatedSpec(deployment);
  setDefault(spec, "replicas", 1);
  setDefault(spec, "revisionHistoryLimit", 10);
  setDefault(spec, "progressDeadlineSeconds", 600);
  const strategy = childObject(spec, "strategy");
  setDefault(strategy, "type", "RollingUpdate");
  if (textAt(strategy, "type") !== "RollingUpdate") return;
  const rolling = childObject(strategy, "rollingUpdate");
  setDefault(rolling, "maxUnavailable", "25%");
  setDefault(rolling, "maxSurge", "25%");
}

export function defaultReplicaSet(replicaSet: KubeObject): void {
  setDefault(templatedSpec(replicaSet), "replicas", 1);
}

export function defaultDaemonSet(daemonSet: KubeObject): void {
  const spec = templatedSpec(daemonSet);
  setDefault(spec, "revisionHistoryLimit", 10);
  const strategy = childObject(spec, "updateStrategy");
  setDefault(strategy, "type", "RollingUpdate");
  if (textAt(strategy, "type") !== "RollingUpdate") return;
  const rolling = childObject(strategy, "rollingUpdate");
  setDefault(rolling, "maxUnavailable", 1);
  setDefault(rolling, "maxSurge", 0);
}

export function defaultStatefulSet(statefulSet: KubeObject): void {
  const spec = templatedSpec(statefulSet);
  setDefault(spec, "replicas", 1);
  setDefault(spec, "revisionHistoryLimit", 10);
  setDefault(spec, "podManagementPolicy", "OrderedReady");
  setDefault(spec, "persistentVolumeClaimRetentionPolicy", { whenDeleted: "Retain", whenScaled: "Retain" });
  const strategy = childObject(spec, "updateStrategy");
  setDefault(strategy, "type", "RollingUpdate");
  if (textAt(strategy, "type") === "RollingUpdate")
    setDefault(childObject(strategy, "rollingUpdate"), "partition", 0);
}

/** The spec, with its pod template's defaults; a missing template is left for validation to name. */
function templatedSpec(workload: KubeObject): JsonObject {
  const spec = childObject(workload, "spec");
  const template = at(spec, "template");
  if (isObject(template)) {
    defaultPodTemplate(template);
  }
  return spec;
}
