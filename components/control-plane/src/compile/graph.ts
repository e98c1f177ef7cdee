/**
 * Incremental computation with dependencies found by reading: a derivation computes outputs from one source object, and
 * whatever else it reads on the way (an object by key, or all objects under an index value) is remembered. A change
 * recomputes exactly the derivations that read what changed; an output that comes out equal stops there.
 */

import { Collection, type Indexes } from "./collection.ts";

/** Reads that count as dependencies of the derivation they are made in. */
export interface Reader {
  get<T, I extends string>(collection: Collection<T, I>, key: string): T | undefined;
  by<T, I extends string>(collection: Collection<T, I>, index: I, value: string): readonly T[];
}

export interface Output<T> {
  readonly key: string;
  readonly value: T;
}

/** One computation: its source object, and what it has read. */
interface Node {
  readonly sourceKey: string;
  readonly stage: Stage;
  reads: ReadonlySet<string>;
  outputKeys: ReadonlySet<string>;
}

interface Stage {
  readonly dirty: Set<Node>;
  readonly run: (node: Node) => void;
}

const NO_KEYS: ReadonlySet<string> = new Set();

/** Hears of a computation that threw; its outputs stay as they were. */
export type OnFault = (collection: string, key: string, error: unknown) => void;

export class Graph {
  readonly #onFault: OnFault;
  /** What was read → who read it. */
  readonly #readers = new Map<string, Set<Node>>();
  /** In the order of definition, which is the order of computation: a derivation reads only what is defined before it. */
  readonly #stages: Stage[] = [];
  /** Per collection: makes the nodes of the derivations that have it as source. */
  readonly #sourceListeners = new Map<string, ((key: string) => void)[]>();
  readonly #changedKeys = new Map<string, Set<string>>();
  #computations = 0;

  constructor(onFault: OnFault) {
    this.#onFault = onFault;
  }

  /** Computations done so far: what the work of a change is measured in. */
  get computations(): number {
    return this.#computations;
  }

  /** `name` must be unique in the graph. */
  collection<T, I extends string = never>(name: string, indexes: Indexes<T, I>): Collection<T, I> {
    const changed = new Set<string>();
    this.#changedKeys.set(name, changed);
    const collection: Collection<T, I> = new Collection(name, indexes, {
      onPut: (key) => {
        changed.add(key);
        this.#markReaders(collection.token(key));
        for (const listener of this.#sourceListeners.get(name) ?? []) listener(key);
      },
      onIndex: (token) => this.#markReaders(token),
    });
    return collection;
  }

  /**
   * Fills `target` with what `compute` makes of each object of `source`. A key that several objects make stays until the last of
   * them makes it no more; at rest they must all give it the same value. `concerns`: objects that this never says yes to cost nothing; `compute` must make nothing of them.
   */
  derive<S, SI extends string, T, TI extends string>(
    source: Collection<S, SI>,
    target: Collection<T, TI>,
    compute: (object: S, read: Reader) => readonly Output<T>[],
    concerns: (object: S) => boolean = () => true,
  ): void {
    const nodes = new Map<string, Node>();
    const makers = this.#makersOf(target.name);
    const stage: Stage = {
      dirty: new Set(),
      run: (node) => {
        const object = source.get(node.sourceKey);
        const reads = new Set<string>();
        const outputs =
          object === undefined
            ? []
            : this.#guarded(source.name, node, () => compute(object, trackingReader(reads)));
        this.#subscribe(node, reads);
        if (object === undefined) nodes.delete(node.sourceKey);
        // The last good result of one object is better than none, and one bad object must not stop the others.
        if (outputs === undefined) return;
        replaceOutputs(node, outputs, target, makers);
      },
    };
    this.#stages.push(stage);
    const onSource = (sourceKey: string): void => {
      const known = nodes.get(sourceKey);
      const object = source.get(sourceKey);
      if (known === undefined && (object === undefined || !concerns(object))) return;
      const node = known ?? { sourceKey, stage, reads: new Set<string>(), outputKeys: NO_KEYS };
      nodes.set(sourceKey, node);
      stage.dirty.add(node);
    };
    const listeners = this.#sourceListeners.get(source.name);
    if (listeners === undefined) this.#sourceListeners.set(source.name, [onSource]);
    else listeners.push(onSource);
  }

  /** Computes all that changes since the last call touch. */
  flush(): void {
    for (const stage of this.#stages) {
      for (const node of stage.dirty) {
        stage.dirty.delete(node);
        this.#computations++;
        stage.run(node);
      }
    }
  }

  /** Keys put into the collection since the last call, whatever became of them. */
  takeChangedKeys<T, I extends string>(collection: Collection<T, I>): readonly string[] {
    const changed = this.#changedKeys.get(collection.name) ?? new Set();
    const keys = [...changed];
    changed.clear();
    return keys;
  }

  #guarded<T>(collection: string, node: Node, compute: () => T): T | undefined {
    try {
      return compute();
    } catch (error) {
      this.#onFault(collection, node.sourceKey, error);
      return undefined;
    }
  }

  /** Per collection: how many computations make a key. */
  readonly #makers = new Map<string, Map<string, number>>();

  #makersOf(name: string): Map<string, number> {
    const makers = this.#makers.get(name) ?? new Map<string, number>();
    this.#makers.set(name, makers);
    return makers;
  }

  #markReaders(token: string): void {
    for (const node of this.#readers.get(token) ?? []) node.stage.dirty.add(node);
  }

  #subscribe(node: Node, reads: ReadonlySet<string>): void {
    for (const token of node.reads) {
      if (reads.has(token)) continue;
      const readers = this.#readers.get(token);
      readers?.delete(node);
      if (readers?.size === 0) this.#readers.delete(token);
    }
    for (const token of reads) {
      const readers = this.#readers.get(token);
      if (readers === undefined) this.#readers.set(token, new Set([node]));
      else readers.add(node);
    }
    node.reads = reads;
  }
}

function trackingReader(reads: Set<string>): Reader {
  return {
    get(collection, key) {
      reads.add(collection.token(key));
      return collection.get(key);
    },
    by(collection, index, value) {
      reads.add(collection.indexToken(index, value));
      return collection.by(index, value);
    },
  };
}

function replaceOutputs<T, I extends string>(
  node: Node,
  outputs: readonly Output<T>[],
  target: Collection<T, I>,
  makers: Map<string, number>,
): void {
  const keys = new Set(outputs.map(({ key }) => key));
  for (const key of node.outputKeys) {
    if (keys.has(key)) continue;
    const left = (makers.get(key) ?? 1) - 1;
    // While a key passes from one source to another, its new maker may have come first.
    if (left > 0) makers.set(key, left);
    else {
      makers.delete(key);
      target.put(key, undefined);
    }
  }
  for (const key of keys) if (!node.outputKeys.has(key)) makers.set(key, (makers.get(key) ?? 0) + 1);
  for (const { key, value } of outputs) target.put(key, value);
  node.outputKeys = keys;
}
