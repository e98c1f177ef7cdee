/** The controller that watches over nodes: by the leases that their kubelets renew. */

import { keyOfRef, LEASES, NODES, nameOf, namespaceOf, PODS, type Pod } from "@meltemi/kubernetes";
import { timestamp } from "../timestamp.ts";
import {
  type ControllerContext,
  decidingQueue,
  queueSelf,
  type RunningController,
  running,
} from "./controller.ts";
import { decideLostPods, decideNode } from "./decide-node.ts";

const LEASE_NAMESPACE = "kube-node-lease";

export function startNodeLifecycle(context: ControllerContext): RunningController {
  const { world, clock } = context;
  const nodes = world.of(NODES);
  const leases = world.of(LEASES);
  const pods = world.of(PODS);
  /** When each lease was last seen to change, by our clock: clocks of others are not trusted. */
  const renewedMs = new Map<string, number>();
  /** When a node that pods name was first seen to be missing. */
  const missingMs = new Map<string, number>();
  const queue = decidingQueue("nodelifecycle", context, (key) => {
    const node = nodes.get(key);
    const podsThere = pods.list().filter((pod) => pod.spec?.nodeName === key);
    if (node === undefined) {
      const sinceMs = missingMs.get(key) ?? clock.monotonicMs();
      if (podsThere.length > 0) missingMs.set(key, sinceMs);
      else missingMs.delete(key);
      return decideLostPods(podsThere, clock.monotonicMs() - sinceMs);
    }
    missingMs.delete(key);
    const lease = leases.get(keyOfRef({ namespace: LEASE_NAMESPACE, name: key }));
    const renewed = lease === undefined ? undefined : renewedMs.get(key);
    return decideNode({
      node,
      pods: podsThere,
      silentMs: renewed === undefined ? undefined : clock.monotonicMs() - renewed,
      now: timestamp(clock.nowMs()),
    });
  });
  const heard = (lease: Parameters<typeof nameOf>[0]): void => {
    if (namespaceOf(lease) !== LEASE_NAMESPACE) return;
    renewedMs.set(nameOf(lease), clock.monotonicMs());
    queue.add(nameOf(lease));
  };
  leases.onChange({
    add: heard,
    update: (_, lease) => heard(lease),
    delete: (lease) => {
      if (namespaceOf(lease) === LEASE_NAMESPACE) renewedMs.delete(nameOf(lease));
    },
  });
  nodes.onChange(queueSelf(queue));
  const lost = (pod: Pod): void => {
    const name = pod.spec?.nodeName;
    if (name && nodes.get(name) === undefined) queue.add(name);
  };
  pods.onChange({ add: lost, update: (_, pod) => lost(pod) });
  return running("nodelifecycle", queue);
}
