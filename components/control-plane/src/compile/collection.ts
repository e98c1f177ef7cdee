/** Keyed objects with named indexes. Plain data; never changed in place. */

import { sameValue } from "./same-value.ts";

/** Values of an object under which it is found; several objects may share one. */
export type IndexFunction<T> = (value: T) => readonly string[];
export type Indexes<T, I extends string> = Readonly<Record<I, IndexFunction<T>>>;

export interface CollectionListener {
  /** The object under `key` is new, other, or gone. */
  onPut(key: string): void;
  /** What is found under an index value changed. */
  onIndex(token: string): void;
}

export class Collection<T, I extends string = never> {
  readonly name: string;
  readonly #values = new Map<string, T>();
  readonly #indexFunctions: readonly (readonly [I, IndexFunction<T>])[];
  readonly #byIndex = new Map<string, Map<string, T>>();
  readonly #listener: CollectionListener;

  constructor(name: string, indexes: Indexes<T, I>, listener: CollectionListener) {
    this.name = name;
    this.#indexFunctions = Object.entries(indexes) as [I, IndexFunction<T>][];
    this.#listener = listener;
  }

  get size(): number {
    return this.#values.size;
  }

  get(key: string): T | undefined {
    return this.#values.get(key);
  }

  by(index: I, value: string): readonly T[] {
    return [...(this.#byIndex.get(this.indexToken(index, value))?.values() ?? [])];
  }

  values(): Iterable<T> {
    return this.#values.values();
  }

  entries(): Iterable<readonly [string, T]> {
    return this.#values.entries();
  }

  /** Undefined removes. Returns false, and tells nobody, when the value is what it was. */
  put(key: string, next: T | undefined): boolean {
    const previous = this.#values.get(key);
    if (sameValue(previous, next)) return false;
    if (next === undefined) this.#values.delete(key);
    else this.#values.set(key, next);
    for (const [index, valuesOf] of this.#indexFunctions) {
      if (previous !== undefined)
        for (const value of valuesOf(previous)) this.#reindex(index, value, key, undefined);
      if (next !== undefined) for (const value of valuesOf(next)) this.#reindex(index, value, key, next);
    }
    this.#listener.onPut(key);
    return true;
  }

  /** Names an object in the memory of who read it. */
  token(key: string): string {
    return `${this.name}\0${key}`;
  }

  /** Names an index value likewise. */
  indexToken(index: I, value: string): string {
    return `${this.name}\0${index}\0${value}`;
  }

  #reindex(index: I, value: string, key: string, object: T | undefined): void {
    const token = this.indexToken(index, value);
    const objects = this.#byIndex.get(token);
    if (object !== undefined) {
      if (objects === undefined) this.#byIndex.set(token, new Map([[key, object]]));
      else objects.set(key, object);
    } else if (objects?.delete(key) && objects.size === 0) this.#byIndex.delete(token);
    this.#listener.onIndex(token);
  }
}
