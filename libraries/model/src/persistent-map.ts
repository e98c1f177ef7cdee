/**
 * An immutable map with text keys, as a hash trie of 32-way branches: a change copies the few nodes on its path and
 * shares the rest, so that a mesh of 100 000 workloads takes one new pod without copying its indexes.
 * A draft changes nodes of its own in place, for batches; nobody sees a draft but its maker.
 */

const BITS_PER_LEVEL = 5;
const LEVEL_MASK = 31;

/** Marks the nodes that a draft made and may therefore change. */
type Owner = object;

class Leaf<V> {
  readonly hash: number;
  readonly key: string;
  readonly value: V;
  /** Another key with the same hash. */
  readonly next: Leaf<V> | undefined;

  constructor(hash: number, key: string, value: V, next: Leaf<V> | undefined) {
    this.hash = hash;
    this.key = key;
    this.value = value;
    this.next = next;
  }
}

class Branch<V> {
  /** Bit n is set when there is a child for n; the children stand in the order of their bits. */
  bitmap: number;
  readonly children: Node<V>[];
  readonly owner: Owner | undefined;

  constructor(bitmap: number, children: Node<V>[], owner: Owner | undefined) {
    this.bitmap = bitmap;
    this.children = children;
    this.owner = owner;
  }
}

type Node<V> = Leaf<V> | Branch<V>;

export interface ReadableMap<V> {
  readonly size: number;
  get(key: string): V | undefined;
  forEach(visit: (value: V, key: string) => void): void;
}

export class PersistentMap<V> implements ReadableMap<V> {
  readonly size: number;
  readonly #root: Node<V> | undefined;

  private constructor(root: Node<V> | undefined, size: number) {
    this.#root = root;
    this.size = size;
  }

  static empty<V>(): PersistentMap<V> {
    return new PersistentMap<V>(undefined, 0);
  }

  get(key: string): V | undefined {
    return find(this.#root, key);
  }

  /** A changeable copy; costs nothing until it is changed. */
  draft(): MapDraft<V> {
    return new MapDraft(this, this.#root, (root, size) =>
      size === 0 ? PersistentMap.empty<V>() : new PersistentMap(root, size),
    );
  }

  forEach(visit: (value: V, key: string) => void): void {
    visitAll(this.#root, visit);
  }

  values(): V[] {
    const all: V[] = [];
    this.forEach((value) => {
      all.push(value);
    });
    return all;
  }
}

export class MapDraft<V> implements ReadableMap<V> {
  size: number;
  readonly #base: PersistentMap<V>;
  #root: Node<V> | undefined;
  #owner: Owner = {};
  #changed = false;
  readonly #build: (root: Node<V> | undefined, size: number) => PersistentMap<V>;

  constructor(
    base: PersistentMap<V>,
    root: Node<V> | undefined,
    build: (root: Node<V> | undefined, size: number) => PersistentMap<V>,
  ) {
    this.#base = base;
    this.#root = root;
    this.size = base.size;
    this.#build = build;
  }

  get(key: string): V | undefined {
    return find(this.#root, key);
  }

  set(key: string, value: V): void {
    if (this.get(key) === undefined) this.size++;
    this.#changed = true;
    this.#root = insert(this.#root, 0, new Leaf(hashOf(key), key, value, undefined), this.#owner);
  }

  delete(key: string): void {
    if (this.get(key) === undefined) return;
    this.size--;
    this.#changed = true;
    this.#root = remove(this.#root, 0, hashOf(key), key, this.#owner);
  }

  forEach(visit: (value: V, key: string) => void): void {
    visitAll(this.#root, visit);
  }

  /** The result; the same object as the base when nothing was changed. The draft may go on being changed. */
  finish(): PersistentMap<V> {
    if (!this.#changed) return this.#base;
    // From here on the nodes belong to the result: a new owner makes later changes copy them.
    this.#owner = {};
    return this.#build(this.#root, this.size);
  }
}

/** FNV-1a, 32 bits. Keys come from the control plane, which can do worse than collide hashes. */
export function hashOf(key: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < key.length; index++) hash = Math.imul(hash ^ key.charCodeAt(index), 0x01000193);
  // FNV's low bits are weak for keys that differ in their last character only, and the trie reads those first.
  return (hash ^ (hash >>> 15)) | 0;
}

function bitOf(hash: number, shift: number): number {
  return 1 << ((hash >>> shift) & LEVEL_MASK);
}

function popCount(bits: number): number {
  let count = bits - ((bits >>> 1) & 0x55555555);
  count = (count & 0x33333333) + ((count >>> 2) & 0x33333333);
  return Math.imul((count + (count >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}

function find<V>(root: Node<V> | undefined, key: string): V | undefined {
  const hash = hashOf(key);
  let node = root;
  for (let shift = 0; node instanceof Branch; shift += BITS_PER_LEVEL) {
    const bit = bitOf(hash, shift);
    node = (node.bitmap & bit) === 0 ? undefined : node.children[popCount(node.bitmap & (bit - 1))];
  }
  if (node?.hash !== hash) return undefined;
  for (let leaf: Leaf<V> | undefined = node; leaf !== undefined; leaf = leaf.next)
    if (leaf.key === key) return leaf.value;
  return undefined;
}

function insert<V>(node: Node<V> | undefined, shift: number, leaf: Leaf<V>, owner: Owner): Node<V> {
  if (node === undefined) return leaf;
  if (node instanceof Leaf) {
    if (node.hash !== leaf.hash) return join(node, leaf, shift, owner);
    return new Leaf(leaf.hash, leaf.key, leaf.value, without(node, leaf.key));
  }
  const bit = bitOf(leaf.hash, shift);
  const index = popCount(node.bitmap & (bit - 1));
  const branch = owned(node, owner);
  if ((branch.bitmap & bit) === 0) {
    branch.bitmap |= bit;
    branch.children.splice(index, 0, leaf);
  } else {
    branch.children[index] = insert(branch.children[index], shift + BITS_PER_LEVEL, leaf, owner);
  }
  return branch;
}

/** The smallest trie of two leaves whose hashes differ. */
function join<V>(a: Leaf<V>, b: Leaf<V>, shift: number, owner: Owner): Branch<V> {
  const bitA = bitOf(a.hash, shift);
  const bitB = bitOf(b.hash, shift);
  if (bitA === bitB) return new Branch<V>(bitA, [join(a, b, shift + BITS_PER_LEVEL, owner)], owner);
  // Bit 31 makes a number negative; unsigned, the order is that of the children.
  return new Branch<V>(bitA | bitB, bitA >>> 0 < bitB >>> 0 ? [a, b] : [b, a], owner);
}

function remove<V>(
  node: Node<V> | undefined,
  shift: number,
  hash: number,
  key: string,
  owner: Owner,
): Node<V> | undefined {
  if (node === undefined) return undefined;
  if (node instanceof Leaf) return node.hash === hash ? without(node, key) : node;
  const bit = bitOf(hash, shift);
  if ((node.bitmap & bit) === 0) return node;
  const index = popCount(node.bitmap & (bit - 1));
  const child = remove(node.children[index], shift + BITS_PER_LEVEL, hash, key, owner);
  const branch = owned(node, owner);
  if (child === undefined) {
    branch.bitmap &= ~bit;
    branch.children.splice(index, 1);
  } else {
    branch.children[index] = child;
  }
  const [only, second] = branch.children;
  // A branch of one leaf is that leaf: without this, removals would leave long empty paths.
  if (second === undefined && (only === undefined || only instanceof Leaf)) return only;
  return branch;
}

/** The chain of leaves with equal hashes, one key left out. */
function without<V>(leaf: Leaf<V> | undefined, key: string): Leaf<V> | undefined {
  if (leaf === undefined) return undefined;
  if (leaf.key === key) return leaf.next;
  return new Leaf(leaf.hash, leaf.key, leaf.value, without(leaf.next, key));
}

function owned<V>(branch: Branch<V>, owner: Owner): Branch<V> {
  return branch.owner === owner ? branch : new Branch(branch.bitmap, branch.children.slice(), owner);
}

function visitAll<V>(node: Node<V> | undefined, visit: (value: V, key: string) => void): void {
  if (node instanceof Branch) {
    for (const child of node.children) visitAll(child, visit);
    return;
  }
  for (let leaf = node; leaf !== undefined; leaf = leaf.next) visit(leaf.value, leaf.key);
}
