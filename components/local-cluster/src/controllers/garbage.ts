/** The garbage collector over all kinds that are served. */

import {
  createWorkQueue,
  type KubernetesObject,
  keyOf,
  namespaceOf,
  type ResourceType,
} from "@meltemi/kubernetes";
import type { OwnerReference } from "kubernetes-types/meta/v1.js";
import { type ControllerContext, type RunningController, running } from "./controller.ts";
import {
  decideDependent,
  decideHeldOwner,
  FOREGROUND_FINALIZER,
  type Item,
  ORPHAN_FINALIZER,
  type OwnerState,
} from "./decide-garbage.ts";
import { BY_OWNER, isTerminating, ownersOf, uidOf } from "./ownership.ts";
import { perform } from "./perform.ts";

/** An owner whose kind is not served, or was not found yet, is asked about again after this long. */
const UNSURE_AGAIN_MS = 5_000;

export function startGarbageCollector(context: ControllerContext): RunningController {
  const { world } = context;
  const collector = new Collector(context);
  const queue = createWorkQueue(
    { name: "garbagecollector", concurrency: 4 },
    {
      clock: context.clock,
      random: context.random,
      log: context.log.scope("controllers::garbagecollector"),
      reconcile: async (key, signal) => {
        const unsure = await collector.collect(key, signal);
        if (unsure) queue.addAfter(key, UNSURE_AGAIN_MS);
      },
    },
  );
  world.onChange((type, change, object) => {
    if (change !== "delete") {
      if (ownersOf(object).length > 0 || isHeld(object)) queue.add(itemKey(type, object));
      // Dependents of an owner that now waits for them must go.
      if (isHeld(object))
        for (const item of collector.dependentsOf(object)) queue.add(itemKey(item.type, item.object));
      return;
    }
    for (const item of collector.dependentsOf(object)) queue.add(itemKey(item.type, item.object));
    // An owner that waited for this one may go on.
    for (const { apiVersion, kind, name } of ownersOf(object)) {
      const owner = world.find(apiVersion, kind);
      if (owner !== undefined) queue.add(`${kindKey(owner)}|${ownerKey(owner, name, object)}`);
    }
  });
  return running("garbagecollector", queue);
}

function isHeld(object: KubernetesObject): boolean {
  const finalizers = object.metadata?.finalizers ?? [];
  return (
    isTerminating(object) &&
    (finalizers.includes(FOREGROUND_FINALIZER) || finalizers.includes(ORPHAN_FINALIZER))
  );
}

function kindKey(type: ResourceType): string {
  return `${type.group}/${type.plural}`;
}

function itemKey(type: ResourceType, object: KubernetesObject): string {
  return `${kindKey(type)}|${keyOf(object)}`;
}

/** Owners are in the dependent's namespace, or of a kind without namespace. */
function ownerKey(owner: ResourceType, name: string, dependent: KubernetesObject): string {
  return owner.namespaced ? `${namespaceOf(dependent)}/${name}` : name;
}

class Collector {
  readonly #context: ControllerContext;

  constructor(context: ControllerContext) {
    this.#context = context;
  }

  dependentsOf(owner: KubernetesObject): readonly Item[] {
    const { world } = this.#context;
    return world.kinds().flatMap((type) =>
      world
        .of(type)
        .byIndex(BY_OWNER, uidOf(owner))
        .map((object) => ({ type, object })),
    );
  }

  /** True when something could not be told for sure and must be looked at again. */
  async collect(key: string, signal: AbortSignal): Promise<boolean> {
    const item = this.#itemOf(key);
    if (item === undefined) return false;
    if (isHeld(item.object))
      await perform(decideHeldOwner(item, this.dependentsOf(item.object)).actions, this.#context, signal);
    const states = new Map<string, OwnerState>();
    for (const owner of ownersOf(item.object))
      states.set(owner.uid, await this.#stateOf(owner, item.object, signal));
    const decision = decideDependent(item, (owner) => states.get(owner.uid) ?? { kind: "unknown" });
    await perform(decision.actions, this.#context, signal);
    return [...states.values()].some((state) => state.kind === "unknown");
  }

  #itemOf(key: string): Item | undefined {
    const { world } = this.#context;
    const bar = key.indexOf("|");
    const type = world.kinds().find((each) => kindKey(each) === key.slice(0, bar));
    const object = type && world.of(type).get(key.slice(bar + 1));
    return type === undefined || object === undefined ? undefined : { type, object };
  }

  /** The view answers for owners that are there; that one is gone is believed only from the server. */
  async #stateOf(
    owner: OwnerReference,
    dependent: KubernetesObject,
    signal: AbortSignal,
  ): Promise<OwnerState> {
    const { world, client } = this.#context;
    const type = world.find(owner.apiVersion, owner.kind);
    if (type === undefined) return { kind: "unknown" };
    const known = world.of(type).get(ownerKey(type, owner.name, dependent));
    if (known !== undefined && uidOf(known) === owner.uid) return stateOfPresent(known);
    const namespace = type.namespaced ? namespaceOf(dependent) : undefined;
    const present = await client.get(type, { name: owner.name, namespace }, { signal });
    if (present === undefined || uidOf(present) !== owner.uid) return { kind: "absent" };
    return stateOfPresent(present);
  }
}

function stateOfPresent(owner: KubernetesObject): OwnerState {
  const waits = isTerminating(owner) && owner.metadata?.finalizers?.includes(FOREGROUND_FINALIZER) === true;
  return { kind: waits ? "waiting" : "alive" };
}
