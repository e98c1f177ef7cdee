/** Keeps a collection of facts equal to the objects of one kind. */

import {
  createInformer,
  type IndexFunction,
  type Informer,
  type InformerDependencies,
  type KubernetesClient,
  type KubernetesObject,
  keyOf,
  type ResourceType,
} from "@meltemi/kubernetes";
import { formatProblems, type Parsed } from "@meltemi/resources";
import type { Collection } from "../compile/collection.ts";
import type { ObjectFault } from "../compile/l7/object-fault.ts";
import { faultOf } from "./object-fault.ts";

export interface FollowerDependencies extends InformerDependencies {
  readonly client: Pick<KubernetesClient, "list" | "watch">;
  /** An input changed; `kind` is the kind of the object. Not called for changes that are no facts. */
  readonly onChange: (kind: string) => void;
  /** Objects that cannot be read, by `<kind>/<namespace>/<name>`. */
  readonly faults: Collection<ObjectFault>;
  /** So many objects of the kind cannot be read now. */
  readonly onRefused: (kind: string, count: number) => void;
}

/** Facts that say: what is known stays. */
export const KEEP: unique symbol = Symbol("keep what is known");

export interface FollowOptions<T> {
  readonly indexes?: Readonly<Record<string, IndexFunction<T>>>;
  /** Key in the collection; default `namespace/name`. */
  readonly keyOf?: (object: T) => string;
}

export interface Follower {
  follow<T extends KubernetesObject, F, I extends string>(
    type: ResourceType<T>,
    collection: Collection<F, I>,
    /** Undefined: the object is nothing to the mesh. */
    toFacts: (object: T) => F | undefined | typeof KEEP,
    options?: FollowOptions<T>,
  ): Informer<T>;
  /** Facts of a parsed object. An object that became invalid must not vanish: an ALLOW policy that did would open what it closed. */
  parsed<T, F>(
    type: ResourceType,
    result: Parsed<T>,
    toFacts: (value: T, object: KubernetesObject) => F,
    object: KubernetesObject,
    standIn: (problems: string) => F | undefined | typeof KEEP,
  ): F | undefined | typeof KEEP;
}

export function createFollower(deps: FollowerDependencies): Follower {
  const { log } = deps;
  /** By kind, the keys of objects that cannot be read. */
  const refused = new Map<string, Set<string>>();

  const setRefused = (type: ResourceType, object: KubernetesObject, problems: string | undefined): void => {
    const key = keyOf(object);
    const isRefused = problems !== undefined;
    const fault = isRefused ? faultOf(type.kind, object, problems) : undefined;
    if (deps.faults.put(`${type.kind}/${key}`, fault)) deps.onChange(type.kind);
    const keys = refused.get(type.kind) ?? new Set();
    refused.set(type.kind, keys);
    const before = keys.size;
    if (isRefused) keys.add(key);
    else keys.delete(key);
    if (keys.size !== before) deps.onRefused(type.kind, keys.size);
  };

  return {
    follow(type, collection, toFacts, { indexes = {}, keyOf: collectionKey = keyOf } = {}) {
      const informer = createInformer(deps.client, type, { whenNotServed: "empty", indexes }, deps);
      const put = (object: Parameters<typeof toFacts>[0]): void => {
        const facts = toFacts(object);
        if (facts !== KEEP && collection.put(collectionKey(object), facts)) deps.onChange(type.kind);
      };
      informer.onChange({
        add: put,
        update: (_previous, object) => put(object),
        delete: (object) => {
          setRefused(type, object, undefined);
          if (collection.put(collectionKey(object), undefined)) deps.onChange(type.kind);
        },
      });
      return informer;
    },
    parsed(type, result, toFacts, object, standIn) {
      const key = keyOf(object);
      if (result.kind === "ok") {
        setRefused(type, object, undefined);
        return toFacts(result.value, object);
      }
      const problems = formatProblems(result.problems);
      setRefused(type, object, problems);
      log.warn("object refused", { kind: type.kind, object: key, problems });
      return standIn(problems);
    },
  };
}
