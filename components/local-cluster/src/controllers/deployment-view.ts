/** What a deployment's decisions look at, sorted out once. */

import { type Deployment, nameOf, type Pod, type ReplicaSet } from "@meltemi/kubernetes";
import { isControlledBy } from "./ownership.ts";
import { isFinished } from "./pod-state.ts";
import { revisionOf } from "./revision.ts";
import { rolloutBounds } from "./rollout-bounds.ts";
import { isSameTemplate, templateHash } from "./template-hash.ts";

export interface DeploymentView {
  readonly deployment: Deployment;
  /** All replica sets of its namespace. */
  readonly replicaSets: readonly ReplicaSet[];
  /** All pods of its namespace. */
  readonly pods: readonly Pod[];
  readonly nowMs: number;
}

export interface Rollout {
  readonly deployment: Deployment;
  readonly wanted: number;
  readonly surge: number;
  readonly unavailable: number;
  /** The replica set of the current template, if it was made already. */
  readonly current: ReplicaSet | undefined;
  readonly currentName: string;
  readonly hash: string;
  /** Oldest revision first. */
  readonly old: readonly ReplicaSet[];
  /** Pods of old templates that still exist, terminating ones among them. */
  readonly oldPods: readonly Pod[];
  /** The name of the current template's replica set belongs to something else. */
  readonly nameTaken: boolean;
}

export function rolloutOf(view: DeploymentView): Rollout {
  const { deployment } = view;
  const template = deployment.spec?.template;
  const owned = view.replicaSets
    .filter((set) => isControlledBy(set, deployment))
    .sort((a, b) => revisionOf(a) - revisionOf(b) || nameOf(a).localeCompare(nameOf(b)));
  // The newest of equals, should two ever have been made.
  const current = owned.findLast((set) => isSameTemplate(set.spec?.template, template));
  const old = owned.filter((set) => set !== current);
  const hash = templateHash(template, deployment.status?.collisionCount ?? 0);
  const currentName = current === undefined ? `${nameOf(deployment)}-${hash}` : nameOf(current);
  const wanted = deployment.spec?.replicas ?? 1;
  const { surge, unavailable } = rolloutBounds(deployment.spec?.strategy?.rollingUpdate, wanted);
  return {
    deployment,
    wanted,
    surge: isRecreate(deployment) ? 0 : surge,
    unavailable: isRecreate(deployment) ? 0 : Math.min(unavailable, wanted),
    current,
    currentName,
    hash,
    old,
    oldPods: view.pods.filter((pod) => !isFinished(pod) && old.some((set) => isControlledBy(pod, set))),
    nameTaken: current === undefined && view.replicaSets.some((set) => nameOf(set) === currentName),
  };
}

export function isRecreate(deployment: Deployment): boolean {
  return deployment.spec?.strategy?.type === "Recreate";
}

export function specReplicas(set: ReplicaSet | undefined): number {
  return set === undefined ? 0 : (set.spec?.replicas ?? 1);
}

export function availableReplicas(set: ReplicaSet | undefined): number {
  return set?.status?.availableReplicas ?? 0;
}

export function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
