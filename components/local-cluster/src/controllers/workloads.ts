/** The controllers of Deployment, ReplicaSet, DaemonSet, StatefulSet and Job: which change concerns whom, and what they look at. */

import {
  CONTROLLER_REVISIONS,
  DAEMON_SETS,
  DEPLOYMENTS,
  JOBS,
  type KubernetesObject,
  keyOf,
  keyOfRef,
  NODES,
  namespaceOf,
  PODS,
  type Pod,
  parseKey,
  REPLICA_SETS,
  STATEFUL_SETS,
} from "@meltemi/kubernetes";
import { timestamp } from "../timestamp.ts";
import {
  type ControllerContext,
  decidingQueue,
  inNamespace,
  queueSelf,
  type RunningController,
  relation,
  running,
  startObjectController,
} from "./controller.ts";
import { decideDaemonSet } from "./decide-daemon-set.ts";
import { decideDeployment } from "./decide-deployment.ts";
import { decideJob, releaseAll } from "./decide-job.ts";
import { decideReplicaSet } from "./decide-replica-set.ts";
import { decideStatefulSet } from "./decide-stateful-set.ts";
import { isTracked } from "./job-tally.ts";
import { BY_NAMESPACE, controllerOf, isControlledBy } from "./ownership.ts";
import { templateHash } from "./template-hash.ts";

export function startReplicaSets(context: ControllerContext): RunningController {
  const { world, clock } = context;
  const sets = world.of(REPLICA_SETS);
  const pods = world.of(PODS);
  const setsOf = (pod: Pod): readonly string[] => {
    const owner = ownerKey(pod, "ReplicaSet");
    // A pod without controller may match any set of its namespace.
    if (owner !== undefined) return [owner];
    return controllerOf(pod) === undefined ? inNamespace(sets, pod).map(keyOf) : [];
  };
  return startObjectController(
    {
      name: "replicaset",
      type: REPLICA_SETS,
      decide: (set) => decideReplicaSet({ set, pods: inNamespace(pods, set), nowMs: clock.nowMs() }),
      related: [relation(pods, setsOf)],
    },
    context,
  );
}

export function startDeployments(context: ControllerContext): RunningController {
  const { world, clock } = context;
  const sets = world.of(REPLICA_SETS);
  const pods = world.of(PODS);
  const deploymentOf = (pod: Pod): readonly string[] => {
    const set = sets.get(ownerKey(pod, "ReplicaSet") ?? "");
    return set === undefined ? [] : ownedBy("Deployment")(set);
  };
  return startObjectController(
    {
      name: "deployment",
      type: DEPLOYMENTS,
      decide: (deployment) =>
        decideDeployment({
          deployment,
          replicaSets: inNamespace(sets, deployment),
          pods: inNamespace(pods, deployment),
          nowMs: clock.nowMs(),
        }),
      related: [
        relation(sets, ownedBy("Deployment")),
        // A Recreate rollout goes on when the last old pod is gone, which its replica set does not count.
        (queue) =>
          void pods.onChange({
            delete: (pod) => {
              for (const key of deploymentOf(pod)) queue.add(key);
            },
          }),
      ],
    },
    context,
  );
}

export function startDaemonSets(context: ControllerContext): RunningController {
  const { world, clock } = context;
  const sets = world.of(DAEMON_SETS);
  const pods = world.of(PODS);
  const nodes = world.of(NODES);
  const revisions = world.of(CONTROLLER_REVISIONS);
  return startObjectController(
    {
      name: "daemonset",
      type: DAEMON_SETS,
      decide: (set) =>
        decideDaemonSet({
          set,
          hash: templateHash(set.spec?.template, set.status?.collisionCount ?? 0),
          nodes: nodes.list(),
          pods: inNamespace(pods, set),
          revisions: inNamespace(revisions, set),
          nowMs: clock.nowMs(),
        }),
      related: [
        relation(pods, ownedBy("DaemonSet")),
        relation(revisions, ownedBy("DaemonSet")),
        relation(nodes, () => sets.list().map(keyOf)),
      ],
    },
    context,
  );
}

export function startStatefulSets(context: ControllerContext): RunningController {
  const { world, clock } = context;
  const pods = world.of(PODS);
  const revisions = world.of(CONTROLLER_REVISIONS);
  return startObjectController(
    {
      name: "statefulset",
      type: STATEFUL_SETS,
      decide: (set) =>
        decideStatefulSet({
          set,
          hash: templateHash(set.spec?.template, set.status?.collisionCount ?? 0),
          pods: inNamespace(pods, set),
          revisions: inNamespace(revisions, set),
          nowMs: clock.nowMs(),
        }),
      related: [relation(pods, ownedBy("StatefulSet")), relation(revisions, ownedBy("StatefulSet"))],
    },
    context,
  );
}

export function startJobs(context: ControllerContext): RunningController {
  const { world, clock } = context;
  const jobs = world.of(JOBS);
  const pods = world.of(PODS);
  const jobOf = ownedBy("Job");
  const queue = decidingQueue("job", context, (key) => {
    const job = jobs.get(key);
    const known = pods.byIndex(BY_NAMESPACE, parseKey(key).namespace ?? "");
    const nowMs = clock.nowMs();
    const decision = job && decideJob({ job, pods: known, nowMs, now: timestamp(nowMs) });
    // Of a job that is gone, or was replaced by one of the same name, or that let go of them.
    const orphans = known.filter((pod) => {
      const owners = jobOf(pod);
      return (
        owners.length === 0 || (owners.includes(key) && (job === undefined || !isControlledBy(pod, job)))
      );
    });
    return { ...decision, actions: [...(decision?.actions ?? []), ...releaseAll(orphans)] };
  });
  jobs.onChange(queueSelf(queue));
  const concerns = (pod: Pod): readonly string[] => {
    const owners = jobOf(pod);
    return owners.length === 0 && isTracked(pod) ? [keyOf(pod)] : owners;
  };
  relation(pods, concerns)(queue);
  return running("job", queue);
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
