/** Trees as YAML gives them: maps, lists and scalars. Pure. */

export type Tree = { readonly [key: string]: unknown };

export function isTree(value: unknown): value is Tree {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A deep merge of maps; lists and scalars of `upper` replace those of `lower`. */
export function overlay(lower: Tree, upper: Tree): Tree {
  const merged: Record<string, unknown> = Object.create(null);
  for (const [key, value] of Object.entries(lower)) merged[key] = value;
  for (const [key, value] of Object.entries(upper)) {
    const below = merged[key];
    merged[key] = isTree(below) && isTree(value) ? overlay(below, value) : value;
  }
  return merged;
}

/** What is at a dotted path; undefined where nothing is. */
export function valueAt(tree: unknown, path: string): unknown {
  return path
    .split(".")
    .reduce<unknown>((node, key) => (isTree(node) && Object.hasOwn(node, key) ? node[key] : undefined), tree);
}

/** The map at a path; an empty one where none is. */
export function treeAt(tree: unknown, path: string): Tree {
  const value = valueAt(tree, path);
  return isTree(value) ? value : {};
}

/** Those of `keys` that the tree has. */
export function pick(tree: Tree, keys: readonly string[]): Tree {
  return Object.fromEntries(keys.filter((key) => Object.hasOwn(tree, key)).map((key) => [key, tree[key]]));
}

/** Equal as JSON, whatever the order of keys. */
export function sameJson(a: unknown, b: unknown): boolean {
  if (Array.isArray(a) && Array.isArray(b))
    return a.length === b.length && a.every((item, index) => sameJson(item, b[index]));
  if (!isTree(a) || !isTree(b)) return a === b;
  const keys = Object.keys(a);
  return (
    keys.length === Object.keys(b).length &&
    keys.every((key) => Object.hasOwn(b, key) && sameJson(a[key], b[key]))
  );
}

/** Keys in the order of the alphabet, all the way down. */
export function sortedTree(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sortedTree);
  if (!isTree(value)) return value;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, below]) => [key, sortedTree(below)]));
}
