/** What all controllers have in common: keys in a queue, a pure decision per key, its actions performed. */

import {
  createWorkQueue,
  type Informer,
  type KubernetesClient,
  type KubernetesObject,
  keyOf,
  namespaceOf,
  type ResourceType,
  type WorkQueue,
} from "@meltemi/kubernetes";
import type { Clock, Logger } from "@meltemi/runtime";
import type { Decision } from "./action.ts";
import { BY_NAMESPACE } from "./ownership.ts";
import { perform } from "./perform.ts";
import type { World } from "./world.ts";

export interface ControllerContext {
  readonly client: KubernetesClient;
  readonly world: World;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Logger;
}

export interface RunningController {
  readonly name: string;
  /** Keys not settled yet. */
  readonly backlog: number;
  stop(): Promise<void>;
}

/** Objects reconciled side by side by one controller; the API server is one process on the same machine. */
const CONCURRENCY = 4;

/** `decide` gets the key of an object and the observed world, and gives what to do; undefined when there is no such object. */
export function decidingQueue(
  name: string,
  context: ControllerContext,
  decide: (key: string) => Decision | undefined,
): WorkQueue {
  const queue = createWorkQueue(
    { name, concurrency: CONCURRENCY },
    {
      clock: context.clock,
      random: context.random,
      log: context.log.scope(`controllers::${name}`),
      reconcile: async (key, signal) => {
        const decision = decide(key);
        if (decision === undefined) return;
        await perform(decision.actions, context, signal);
        if (decision.recheckAfterMs !== undefined) queue.addAfter(key, decision.recheckAfterMs);
      },
    },
  );
  return queue;
}

export interface ObjectController<T extends KubernetesObject> {
  readonly name: string;
  readonly type: ResourceType<T>;
  readonly decide: (object: T) => Decision;
  /** Other objects, and whom a change of one of them concerns. */
  readonly related: readonly Relation[];
}

/** Queues the keys that a change of some other object concerns. */
type Relation = (queue: WorkQueue) => void;

export function relation<T extends KubernetesObject>(
  informer: Informer<T>,
  keysOf: (object: T) => Iterable<string>,
): Relation {
  return (queue) => void informer.onChange(queueEach(keysOf, queue));
}

/** Keeps each object of one kind as `decide` wants it, whenever it or a related object changes. */
export function startObjectController<T extends KubernetesObject>(
  { name, type, decide, related }: ObjectController<T>,
  context: ControllerContext,
): RunningController {
  const objects = context.world.of(type);
  const queue = decidingQueue(name, context, (key) => {
    const object = objects.get(key);
    return object && decide(object);
  });
  objects.onChange(queueSelf(queue));
  for (const follow of related) follow(queue);
  return running(name, queue);
}

export function running(name: string, queue: WorkQueue): RunningController {
  return {
    name,
    get backlog() {
      return queue.size;
    },
    stop: () => queue.stop(),
  };
}

/** Handlers that queue the object itself. */
export function queueSelf(queue: WorkQueue): {
  add: (object: KubernetesObject) => void;
  update: (previous: KubernetesObject, object: KubernetesObject) => void;
  delete: (object: KubernetesObject) => void;
} {
  return queueEach((object) => [keyOf(object)], queue);
}

/** Objects of one kind in the namespace of another object. */
export function inNamespace<T extends KubernetesObject>(
  informer: Informer<T>,
  beside: KubernetesObject,
): readonly T[] {
  return informer.byIndex(BY_NAMESPACE, namespaceOf(beside));
}

/** Handlers that queue what the object belongs to, before the change and after it. */
function queueEach<T extends KubernetesObject>(
  keysOf: (object: T) => Iterable<string>,
  queue: WorkQueue,
): { add: (object: T) => void; update: (previous: T, object: T) => void; delete: (object: T) => void } {
  const queueAll = (object: T): void => {
    for (const key of keysOf(object)) queue.add(key);
  };
  return {
    add: queueAll,
    update: (previous, object) => {
      queueAll(previous);
      queueAll(object);
    },
    delete: queueAll,
  };
}
