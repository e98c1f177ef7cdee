/** Deployment: one replica set per template, scaled against each other within surge and unavailability. */

import { DEPLOYMENTS, namespaceOf, REPLICA_SETS, type ReplicaSet } from "@meltemi/kubernetes";
import { type Action, type Decision, statusAction } from "./action.ts";
import { deploymentStatus } from "./deployment-status.ts";
import {
  availableReplicas,
  type DeploymentView,
  isRecreate,
  type Rollout,
  rolloutOf,
  specReplicas,
  sum,
} from "./deployment-view.ts";
import { controllerReference, isTerminating } from "./ownership.ts";
import {
  copiedAnnotations,
  DESIRED_REPLICAS,
  MAX_REPLICAS,
  nextRevision,
  REVISION,
  revisionOf,
} from "./revision.ts";
import { POD_TEMPLATE_HASH } from "./template-hash.ts";

export function decideDeployment(view: DeploymentView): Decision {
  const rollout = rolloutOf(view);
  const { deployment } = rollout;
  const { status, recheckAfterMs } = deploymentStatus(rollout, view.nowMs);
  const actions: Action[] = [];
  if (!isTerminating(deployment)) {
    if (rollout.nameTaken) {
      // Another template has our hash: take another name from now on.
      const collisionCount = (deployment.status?.collisionCount ?? 0) + 1;
      return { actions: statusAction(DEPLOYMENTS, deployment, { collisionCount }) };
    }
    actions.push(...roll(rollout), ...recordRevision(rollout), ...forgetOldest(rollout));
  }
  actions.push(...statusAction(DEPLOYMENTS, deployment, status));
  return recheckAfterMs === undefined ? { actions } : { actions, recheckAfterMs };
}

function roll(rollout: Rollout): readonly Action[] {
  const { deployment, current } = rollout;
  if (deployment.spec?.paused === true) return scaleWhilePaused(rollout);
  if (isRecreate(deployment)) return recreate(rollout);
  if (current === undefined) return [createReplicaSet(rollout, newReplicas(rollout))];
  const replicas = newReplicas(rollout);
  if (replicas !== specReplicas(current)) return [scale(rollout, current, replicas)];
  return scaleOldDown(rollout, current);
}

/** Paused: the template is not rolled out, but `kubectl scale` still works, on the newest set that has pods. */
function scaleWhilePaused(rollout: Rollout): readonly Action[] {
  const sets = rollout.current === undefined ? rollout.old : [...rollout.old, rollout.current];
  const target = sets.findLast((set) => specReplicas(set) > 0) ?? sets.at(-1);
  const difference = rollout.wanted - sum(sets.map(specReplicas));
  if (target === undefined || difference === 0) return [];
  const replicas = Math.max(0, specReplicas(target) + difference);
  return replicas === specReplicas(target) ? [] : [scale(rollout, target, replicas)];
}

/** All old pods end before the first new one begins. */
function recreate(rollout: Rollout): readonly Action[] {
  const running = rollout.old.filter((set) => specReplicas(set) > 0);
  if (running.length > 0) return running.map((set) => scale(rollout, set, 0));
  if (rollout.oldPods.length > 0) return [];
  if (rollout.current === undefined) return [createReplicaSet(rollout, rollout.wanted)];
  return specReplicas(rollout.current) === rollout.wanted
    ? []
    : [scale(rollout, rollout.current, rollout.wanted)];
}

/** As many of the new template as the surge leaves room for; never fewer than there are, unless too many are wanted. */
function newReplicas(rollout: Rollout): number {
  const { wanted, surge, current, old } = rollout;
  const present = specReplicas(current);
  if (present >= wanted) return wanted;
  const room = wanted + surge - present - sum(old.map(specReplicas));
  return room <= 0 ? present : Math.min(wanted, present + room);
}

/** Takes down broken old pods first, then as many good ones as may be missing. */
function scaleOldDown(rollout: Rollout, current: ReplicaSet): readonly Action[] {
  const { wanted, unavailable, old } = rollout;
  const minAvailable = wanted - unavailable;
  const present = sum([current, ...old].map(specReplicas));
  const currentUnavailable = specReplicas(current) - availableReplicas(current);
  let budget = present - minAvailable - currentUnavailable;
  const left = new Map(old.map((set) => [set, specReplicas(set)]));
  for (const set of old) {
    const broken = Math.max(0, specReplicas(set) - availableReplicas(set));
    const removed = Math.min(broken, Math.max(0, budget));
    left.set(set, specReplicas(set) - removed);
    budget -= removed;
  }
  let spare = Math.min(budget, sum([current, ...old].map(availableReplicas)) - minAvailable);
  for (const set of old) {
    const remaining = left.get(set) ?? 0;
    const removed = Math.min(remaining, Math.max(0, spare));
    left.set(set, remaining - removed);
    spare -= removed;
  }
  return old
    .filter((set) => left.get(set) !== specReplicas(set))
    .map((set) => scale(rollout, set, left.get(set) ?? 0));
}

function replicaAnnotations(rollout: Rollout): Readonly<Record<string, string>> {
  return {
    [DESIRED_REPLICAS]: String(rollout.wanted),
    [MAX_REPLICAS]: String(rollout.wanted + rollout.surge),
  };
}

function scale(rollout: Rollout, set: ReplicaSet, replicas: number): Action {
  const body = { metadata: { annotations: replicaAnnotations(rollout) }, spec: { replicas } };
  return { kind: "patch", type: REPLICA_SETS, object: set, body, guarded: true };
}

function createReplicaSet(rollout: Rollout, replicas: number): Action {
  const { deployment, hash } = rollout;
  const { template, selector, minReadySeconds } = deployment.spec ?? {};
  const labels = { ...template?.metadata?.labels, [POD_TEMPLATE_HASH]: hash };
  const object: ReplicaSet = {
    metadata: {
      name: rollout.currentName,
      namespace: namespaceOf(deployment),
      labels,
      annotations: {
        ...copiedAnnotations(deployment),
        ...replicaAnnotations(rollout),
        [REVISION]: String(nextRevision(rollout.old, undefined)),
      },
      ownerReferences: [controllerReference(DEPLOYMENTS, deployment)],
    },
    spec: {
      replicas,
      ...(minReadySeconds === undefined ? {} : { minReadySeconds }),
      selector: { ...selector, matchLabels: { ...selector?.matchLabels, [POD_TEMPLATE_HASH]: hash } },
      template: { ...template, metadata: { ...template?.metadata, labels } },
    },
  };
  return { kind: "create", type: REPLICA_SETS, object };
}

/** The current set is the newest revision, even when its template came back from long ago; the deployment says the same. */
function recordRevision(rollout: Rollout): readonly Action[] {
  const { deployment, current, old } = rollout;
  const revision = nextRevision(old, current);
  const actions: Action[] = [];
  const annotations = { ...copiedAnnotations(deployment), [REVISION]: String(revision) };
  if (current !== undefined && revisionOf(current) !== revision)
    actions.push({
      kind: "patch",
      type: REPLICA_SETS,
      object: current,
      body: { metadata: { annotations } },
      guarded: false,
    });
  if (current !== undefined && revisionOf(deployment) !== revision)
    actions.push({
      kind: "patch",
      type: DEPLOYMENTS,
      object: deployment,
      body: { metadata: { annotations: { [REVISION]: String(revision) } } },
      guarded: false,
    });
  return actions;
}

/** Old sets without pods are history for `kubectl rollout undo`, and history is bounded. */
function forgetOldest(rollout: Rollout): readonly Action[] {
  const { deployment, old } = rollout;
  const limit = deployment.spec?.revisionHistoryLimit ?? 10;
  const idle = old.filter(
    (set) => specReplicas(set) === 0 && (set.status?.replicas ?? 0) === 0 && !isTerminating(set),
  );
  const surplus = idle.slice(0, Math.max(0, idle.length - limit));
  return surplus.map((object) => ({ kind: "delete", type: REPLICA_SETS, object }));
}
