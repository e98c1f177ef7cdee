/**
 * All resources of one type, and the order in which they changed. A watch remembers one number, its place in the log, instead
 * of what it was sent: a hundred clients of ten thousand resources cost a hundred numbers.
 */

import { type CidrKey, cidrKeyContains, parseCidrKey } from "./cidr-key.ts";
import type { EncodedResource } from "./encoded.ts";

/** Changes kept for watches that are behind; at some 100 bytes each a few dozen MiB in the worst case. */
const MIN_KEPT_CHANGES = 100_000;

interface Change {
  readonly name: string;
  /** Keys under which the name was known before the change; empty when it is new. */
  readonly previousKeys: readonly string[];
}

export interface ResourceLog {
  readonly typeUrl: string;
  /** Place after the newest change. */
  readonly head: number;
  /** Watches behind this place cannot be told what they missed: they must start anew. */
  readonly floor: number;
  readonly size: number;
  get(name: string): EncodedResource | undefined;
  resources(): Iterable<EncodedResource>;
  /** By name, alias or related name; an address also by a network that it is in. */
  matching(key: string): readonly EncodedResource[];
  changesSince(place: number): Iterable<Change>;
  /** Resources whose version is what it was are left alone. Returns how many changed. */
  apply(upserts: Iterable<EncodedResource>, removedNames: Iterable<string>): number;
}

/** `minKeptChanges`: for watches that are behind. */
export function createResourceLog(typeUrl: string, minKeptChanges: number = MIN_KEPT_CHANGES): ResourceLog {
  const byName = new Map<string, EncodedResource>();
  let changes: Change[] = [];
  let floor = 0;
  /** Key → names. Made when the first client asks by key: wildcard clients never do. */
  let index: KeyIndex | undefined;

  const record = (name: string, next: EncodedResource | undefined): void => {
    const previousKeys = byName.get(name)?.keys ?? [];
    changes.push({ name, previousKeys });
    if (index !== undefined) reindex(index, name, previousKeys, next?.keys ?? []);
    if (next === undefined) byName.delete(name);
    else byName.set(name, next);
  };
  const trim = (): void => {
    const kept = Math.max(minKeptChanges, 2 * byName.size);
    // Cutting only at twice the length makes the cost of the copy vanish among the changes.
    if (changes.length <= 2 * kept) return;
    const cut = changes.length - kept;
    changes = changes.slice(cut);
    floor += cut;
  };

  return {
    typeUrl,
    get head() {
      return floor + changes.length;
    },
    get floor() {
      return floor;
    },
    get size() {
      return byName.size;
    },
    get: (name) => byName.get(name),
    resources: () => byName.values(),
    matching(key) {
      index ??= buildIndex(byName.values());
      const names = new Set(index.names.get(key));
      for (const [cidrKey, parsed] of index.cidrs)
        if (cidrKeyContains(parsed, key)) for (const name of index.names.get(cidrKey) ?? []) names.add(name);
      return [...names].flatMap((name) => byName.get(name) ?? []);
    },
    *changesSince(place) {
      for (let at = Math.max(0, place - floor); at < changes.length; at++) {
        const change = changes[at];
        if (change !== undefined) yield change;
      }
    },
    apply(upserts, removedNames) {
      const before = floor + changes.length;
      for (const resource of upserts) {
        if (!sameResource(byName.get(resource.name), resource)) record(resource.name, resource);
      }
      for (const name of removedNames) if (byName.has(name)) record(name, undefined);
      const changed = floor + changes.length - before;
      trim();
      return changed;
    },
  };
}

/** The version covers the content; the keys follow from the content but for the node's own key. */
function sameResource(a: EncodedResource | undefined, b: EncodedResource): boolean {
  return a !== undefined && a.version === b.version && a.keys.length === b.keys.length;
}

interface KeyIndex {
  /** Key → names. */
  readonly names: Map<string, Set<string>>;
  /** Those of the keys that stand for a network: a mesh has few. */
  readonly cidrs: Map<string, CidrKey>;
}

function buildIndex(resources: Iterable<EncodedResource>): KeyIndex {
  const index: KeyIndex = { names: new Map(), cidrs: new Map() };
  for (const { name, keys } of resources) reindex(index, name, [], keys);
  return index;
}

function reindex(
  { names: index, cidrs }: KeyIndex,
  name: string,
  previousKeys: readonly string[],
  keys: readonly string[],
): void {
  for (const key of previousKeys) {
    const names = index.get(key);
    names?.delete(name);
    if (names?.size !== 0) continue;
    index.delete(key);
    cidrs.delete(key);
  }
  for (const key of keys) {
    const names = index.get(key);
    if (names !== undefined) {
      names.add(name);
      continue;
    }
    index.set(key, new Set([name]));
    const cidr = parseCidrKey(key);
    if (cidr !== undefined) cidrs.set(key, cidr);
  }
}
