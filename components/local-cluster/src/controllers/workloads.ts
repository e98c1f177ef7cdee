/** The controllers of Deployment, ReplicaSet, DaemonSet and StatefulSet: which change concerns whom, and what they look at. */

import {
  CONTROLLER_REVISIONS,
  DAEMON_SETS,
  DEPLOYMENTS,
  type Informer,
  type KubernetesObject,
  keyOf,
  keyOfRef,
  NODES,
  namespaceOf,
  PODS,
  type Pod,
  REPLICA_SETS,
  STATEFUL_SETS,
} from "@meltemi/kubernetes";
import {
  type ControllerContext,
  decidingQueue,
  queueEach,
  queueSelf,
  type RunningController,
  running,
} from "./controller.ts";
import { decideDaemonSet } from "./decide-daemon-set.ts";
import { decideDeployment } from "./decide-deployment.ts";
import { decideReplicaSet } from "./decide-replica-set.ts";
import { decideStatefulSet } from "./decide-stateful-set.ts";
import { BY_NAMESPACE, controllerOf } from "./ownership.ts";
import { templateHash } from "./template-hash.ts";

export function startReplicaSets(context: ControllerContext): RunningController {
  const { world, clock } = context;
  const sets = world.of(REPLICA_SETS);
  const pods = world.of(PODS);
  const queue = decidingQueue("replicaset", context, (key) => {
    const set = sets.get(key);
    return set && decideReplicaSet({ set, pods: inNamespace(pods, set), nowMs: clock.nowMs() });
  });
  sets.onChange(queueSelf(queue));
  const setsOf = (pod: Pod): readonly string[] => {
    const owner = ownerKey(pod, "ReplicaSet");
    // A pod without controller may match any set of its namespace.
    if (owner !== undefined) return [owner];
    return controllerOf(pod) === undefined ? inNamespace(sets, pod).map(keyOf) : [];
  };
  pods.onChange(queueEach(setsOf, queue));
  return running("replicaset", queue);
}

export function startDeployments(context: ControllerContext): RunningController {
  const { world, clock } = context;
  const deployments = world.of(DEPLOYMENTS);
  const sets = world.of(REPLICA_SETS);
  const pods = world.of(PODS);
  const queue = decidingQueue("deployment", context, (key) => {
    const deployment = deployments.get(key);
    if (deployment === undefined) return undefined;
    const replicaSets = inNamespace(sets, deployment);
    return decideDeployment({
      deployment,
      replicaSets,
      pods: inNamespace(pods, deployment),
      nowMs: clock.nowMs(),
    });
  });
  deployments.onChange(queueSelf(queue));
  sets.onChange(queueEach(ownedBy("Deployment"), queue));
  // A Recreate rollout goes on when the last old pod is gone, which its replica set does not count.
  const deploymentOf = (pod: Pod): readonly string[] => {
    const set = sets.get(ownerKey(pod, "ReplicaSet") ?? "");
    return set === undefined ? [] : ownedBy("Deployment")(set);
  };
  pods.onChange({
    delete: (pod) => {
      for (const key of deploymentOf(pod)) queue.add(key);
    },
  });
  return running("deployment", queue);
}

export function startDaemonSets(context: ControllerContext): RunningController {
  const { world, clock } = context;
  const sets = world.of(DAEMON_SETS);
  const pods = world.of(PODS);
  const nodes = world.of(NODES);
  const revisions = world.of(CONTROLLER_REVISIONS);
  const queue = decidingQueue("daemonset", context, (key) => {
    const set = sets.get(key);
    if (set === undefined) return undefined;
    const hash = templateHash(set.spec?.template, set.status?.collisionCount ?? 0);
    return decideDaemonSet({
      set,
      hash,
      nodes: nodes.list(),
      pods: inNamespace(pods, set),
      revisions: inNamespace(revisions, set),
      nowMs: clock.nowMs(),
    });
  });
  sets.onChange(queueSelf(queue));
  pods.onChange(queueEach(ownedBy("DaemonSet"), queue));
  revisions.onChange(queueEach(ownedBy("DaemonSet"), queue));
  nodes.onChange(queueEach(() => sets.list().map(keyOf), queue));
  return running("daemonset", queue);
}

export function startStatefulSets(context: ControllerContext): RunningController {
  const { world, clock } = context;
  const sets = world.of(STATEFUL_SETS);
  const pods = world.of(PODS);
  const revisions = world.of(CONTROLLER_REVISIONS);
  const queue = decidingQueue("statefulset", context, (key) => {
    const set = sets.get(key);
    if (set === undefined) return undefined;
    return decideStatefulSet({
      set,
      hash: templateHash(set.spec?.template, set.status?.collisionCount ?? 0),
      pods: inNamespace(pods, set),
      revisions: inNamespace(revisions, set),
      nowMs: clock.nowMs(),
    });
  });
  sets.onChange(queueSelf(queue));
  pods.onChange(queueEach(ownedBy("StatefulSet"), queue));
  revisions.onChange(queueEach(ownedBy("StatefulSet"), queue));
  return running("statefulset", queue);
}

/** Objects of one kind in the namespace of another object. */
export function inNamespace<T extends KubernetesObject>(
  informer: Informer<T>,
  beside: KubernetesObject,
): readonly T[] {
  return informer.byIndex(BY_NAMESPACE, namespaceOf(beside));
}

function ownedBy(kind: string): (object: KubernetesObject) => readonly string[] {
  return (object) => {
    const key = ownerKey(object, kind);
    return key === undefined ? [] : [key];
  };
}

function ownerKey(object: KubernetesObject, kind: string): string | undefined {
  const owner = controllerOf(object);
  return owner?.kind === kind ? keyOfRef({ namespace: namespaceOf(object), name: owner.name }) : undefined;
}
