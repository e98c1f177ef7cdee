/**
 * Finds the first of many matches that holds for a request without asking each: matches lie under the paths they name, and
 * where many share a path, under the header, parameter, method, host or namespace that tells most of them apart. The index only
 * narrows; what it yields is asked in full, and the lowest number wins, so that the answer is that of going through the list.
 */

import { RouteBucket } from "./route-bucket.ts";
import { type RouteEntry, RouteSearch } from "./route-entry.ts";
import type { RoutedRequest } from "./routed-request.ts";

/** A node of the tree of path prefixes; edges hold as many characters as they can. */
interface PrefixNode<Entry extends RouteEntry> {
  /** Characters from the parent's end to this node's. */
  readonly label: string;
  readonly children: Map<number, PrefixNode<Entry>>;
  entries: Entry[];
  bucket: RouteBucket<Entry> | undefined;
}

export class RouteIndex<Entry extends RouteEntry> {
  readonly #plain: PathTable<Entry>;
  /** Matches that ignore case, under paths in lower case. */
  readonly #folded: PathTable<Entry> | undefined;

  /** `entries` in ascending order. */
  constructor(entries: readonly Entry[]) {
    const folded = entries.filter(({ matcher }) => matcher?.path?.key.ignoreCase === true);
    this.#plain = new PathTable(entries.filter(({ matcher }) => matcher?.path?.key.ignoreCase !== true));
    this.#folded = folded.length === 0 ? undefined : new PathTable(folded);
  }

  find(request: RoutedRequest): Entry | undefined {
    const search = new RouteSearch<Entry>();
    this.#plain.search(request, request.path, search);
    this.#folded?.search(request, request.lowerPath, search);
    return search.best;
  }
}

class PathTable<Entry extends RouteEntry> {
  readonly #exact = new Map<string, RouteBucket<Entry>>();
  readonly #root: PrefixNode<Entry> = newNode("");

  constructor(entries: readonly Entry[]) {
    const exact = new Map<string, Entry[]>();
    for (const entry of entries) {
      const key = entry.matcher?.path?.key;
      if (key?.kind !== "exact") insert(this.#root, key?.text ?? "", entry);
      else {
        const sharing = exact.get(key.text);
        if (sharing === undefined) exact.set(key.text, [entry]);
        else sharing.push(entry);
      }
    }
    for (const [path, sharing] of exact) this.#exact.set(path, new RouteBucket(sharing));
    finish(this.#root);
  }

  search(request: RoutedRequest, path: string, search: RouteSearch<Entry>): void {
    if (this.#exact.size > 0) this.#exact.get(path)?.search(request, search);
    let node: PrefixNode<Entry> | undefined = this.#root;
    let at = 0;
    while (node !== undefined) {
      node.bucket?.search(request, search);
      if (at >= path.length) return;
      node = node.children.get(path.charCodeAt(at));
      if (node === undefined || !path.startsWith(node.label, at)) return;
      at += node.label.length;
    }
  }
}

function newNode<Entry extends RouteEntry>(label: string): PrefixNode<Entry> {
  return { label, children: new Map(), entries: [], bucket: undefined };
}

function insert<Entry extends RouteEntry>(root: PrefixNode<Entry>, prefix: string, entry: Entry): void {
  let node = root;
  let at = 0;
  while (at < prefix.length) {
    const first = prefix.charCodeAt(at);
    const child = node.children.get(first);
    if (child === undefined) {
      const leaf = newNode<Entry>(prefix.slice(at));
      leaf.entries.push(entry);
      node.children.set(first, leaf);
      return;
    }
    const shared = sharedLength(child.label, prefix, at);
    node = shared === child.label.length ? child : split(node, child, shared);
    at += shared;
  }
  node.entries.push(entry);
}

function sharedLength(label: string, text: string, at: number): number {
  let length = 0;
  while (length < label.length && label.charCodeAt(length) === text.charCodeAt(at + length)) length++;
  return length;
}

/** Puts a node between `parent` and `child`, after `length` characters of the edge. */
function split<Entry extends RouteEntry>(
  parent: PrefixNode<Entry>,
  child: PrefixNode<Entry>,
  length: number,
): PrefixNode<Entry> {
  const middle = newNode<Entry>(child.label.slice(0, length));
  const lower: PrefixNode<Entry> = { ...child, label: child.label.slice(length) };
  middle.children.set(lower.label.charCodeAt(0), lower);
  parent.children.set(middle.label.charCodeAt(0), middle);
  return middle;
}

function finish<Entry extends RouteEntry>(root: PrefixNode<Entry>): void {
  const open = [root];
  for (let node = open.pop(); node !== undefined; node = open.pop()) {
    if (node.entries.length > 0) node.bucket = new RouteBucket(node.entries);
    node.entries = [];
    open.push(...node.children.values());
  }
}
