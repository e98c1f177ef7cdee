/** The objects an informer knows, frozen, with indexes. Changes come out as a list, for the handlers. */

import { type KubernetesObject, keyOf } from "./resource-type.ts";

/** Values of one object under one index; none leaves it out. */
export type IndexFunction<T> = (object: T) => readonly string[];

export type Change<T> =
  | { readonly kind: "add"; readonly object: T }
  | { readonly kind: "update"; readonly previous: T; readonly object: T }
  | { readonly kind: "delete"; readonly object: T };

export class ObjectStore<T extends KubernetesObject> {
  readonly #objects = new Map<string, T>();
  readonly #indexes: ReadonlyMap<string, Index<T>>;

  constructor(indexes: Readonly<Record<string, IndexFunction<T>>> = {}) {
    this.#indexes = new Map(Object.entries(indexes).map(([name, values]) => [name, new Index(values)]));
  }

  get size(): number {
    return this.#objects.size;
  }

  get(key: string): T | undefined {
    return this.#objects.get(key);
  }

  /** All objects, in the order in which they became known. */
  values(): T[] {
    return [...this.#objects.values()];
  }

  /** Objects that carry `value` under the index. An index that was never declared is a fault of the caller. */
  byIndex(name: string, value: string): readonly T[] {
    const index = this.#indexes.get(name);
    if (index === undefined) throw new RangeError(`no index named ${JSON.stringify(name)}`);
    return index.get(value);
  }

  /** Takes an object of a watch event. Undefined when it is already known in this very version. */
  put(object: T): Change<T> | undefined {
    const key = keyOf(object);
    const previous = this.#objects.get(key);
    if (previous !== undefined && isSame(previous, object)) return undefined;
    freeze(object);
    this.#objects.set(key, object);
    for (const index of this.#indexes.values()) index.move(previous, object);
    return previous === undefined ? { kind: "add", object } : { kind: "update", previous, object };
  }

  /** Forgets an object; the change carries its last known form. Undefined when it was not known. */
  remove(last: T): Change<T> | undefined {
    const key = keyOf(last);
    const previous = this.#objects.get(key);
    if (previous === undefined) return undefined;
    this.#objects.delete(key);
    for (const index of this.#indexes.values()) index.move(previous, undefined);
    return { kind: "delete", object: freeze(last) };
  }

  /** Becomes exactly `objects`; the changes include the deletions missed meanwhile, and come first. */
  replaceAll(objects: readonly T[]): readonly Change<T>[] {
    const changes: (Change<T> | undefined)[] = [];
    const uids = new Map(objects.map((object) => [keyOf(object), object.metadata?.uid]));
    for (const [key, known] of [...this.#objects]) {
      // Deleted and made again under its name while we did not look: two changes, not one.
      if (uids.get(key) !== known.metadata?.uid || !uids.has(key)) changes.push(this.remove(known));
    }
    for (const object of objects) changes.push(this.put(object));
    return changes.filter((change) => change !== undefined);
  }
}

function isSame(a: KubernetesObject, b: KubernetesObject): boolean {
  const version = a.metadata?.resourceVersion;
  return (
    version !== undefined && version === b.metadata?.resourceVersion && a.metadata?.uid === b.metadata?.uid
  );
}

class Index<T> {
  readonly #values: IndexFunction<T>;
  readonly #byValue = new Map<string, Set<T>>();

  constructor(values: IndexFunction<T>) {
    this.#values = values;
  }

  get(value: string): readonly T[] {
    return [...(this.#byValue.get(value) ?? [])];
  }

  move(previous: T | undefined, next: T | undefined): void {
    if (previous !== undefined) {
      for (const value of this.#values(previous)) {
        const objects = this.#byValue.get(value);
        objects?.delete(previous);
        if (objects?.size === 0) this.#byValue.delete(value);
      }
    }
    if (next === undefined) return;
    for (const value of this.#values(next)) {
      const objects = this.#byValue.get(value);
      if (objects === undefined) this.#byValue.set(value, new Set([next]));
      else objects.add(next);
    }
  }
}

/** Freezes a tree of JSON in place, so that no reader can change what all readers share. */
function freeze<T>(value: T): T {
  if (typeof value !== "object" || value === null || Object.isFrozen(value)) return value;
  Object.freeze(value);
  for (const inner of Object.values(value)) freeze(inner);
  return value;
}
