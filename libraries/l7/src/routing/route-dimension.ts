/** Which attribute of requests tells most of a list of matches apart (see route-bucket.ts). */

import type { TextMatcher } from "../text/text-matcher.ts";
import type { NamedMatcher, RequestMatcher } from "./request-matcher.ts";
import type { RouteEntry } from "./route-entry.ts";

const DIMENSIONS = ["header", "query", "method", "authority", "namespace"] as const;
export type Dimension = (typeof DIMENSIONS)[number];

/** Entries that hold only for requests with this name and, if given, this very value. */
interface Group<Entry extends RouteEntry> {
  /** Empty for dimensions without names. */
  readonly name: string;
  readonly value: string | undefined;
  readonly entries: Entry[];
}

export interface Split<Entry extends RouteEntry> {
  readonly dimension: Dimension;
  readonly groups: readonly Group<Entry>[];
  /** Those that this dimension says nothing of. */
  readonly rest: readonly Entry[];
}

interface Key {
  readonly name: string;
  readonly value: string | undefined;
}

/** Undefined: nothing tells them apart. `used`: dimensions, and `dimension:name`, that did already. */
export function chooseDimension<Entry extends RouteEntry>(
  entries: readonly Entry[],
  used: ReadonlySet<string>,
): Split<Entry> | undefined {
  let best: Split<Entry> | undefined;
  let fewest = entries.length;
  for (const dimension of DIMENSIONS) {
    if (used.has(dimension)) continue;
    const split = splitBy(dimension, entries, used);
    let largest = 0;
    for (const group of split.groups) largest = Math.max(largest, group.entries.length);
    // What one request may still have to go through; a single group that holds all has told nothing.
    const asked = largest + split.rest.length;
    if (asked < fewest) [best, fewest] = [split, asked];
  }
  return best;
}

function splitBy<Entry extends RouteEntry>(
  dimension: Dimension,
  entries: readonly Entry[],
  used: ReadonlySet<string>,
): Split<Entry> {
  const keysOf = entries.map(({ matcher }) => (matcher === undefined ? [] : keys(dimension, matcher, used)));
  const uses = new Map<string, number>();
  for (const key of keysOf.flat()) uses.set(textOf(key), (uses.get(textOf(key)) ?? 0) + 1);
  const groups = new Map<string, Group<Entry>>();
  const rest: Entry[] = [];
  for (const [index, entry] of entries.entries()) {
    const key = rarest(keysOf[index] ?? [], uses);
    if (key === undefined) {
      rest.push(entry);
      continue;
    }
    const group = groups.get(textOf(key)) ?? { ...key, entries: [] };
    group.entries.push(entry);
    groups.set(textOf(key), group);
  }
  return { dimension, groups: [...groups.values()], rest };
}

function textOf({ name, value }: Key): string {
  return value === undefined ? `${name.length} ${name}` : `${name.length} ${name}=${value}`;
}

/** Of several conditions of one match, the one that it shares with the fewest others. */
function rarest(candidates: readonly Key[], uses: ReadonlyMap<string, number>): Key | undefined {
  let best: Key | undefined;
  let fewest = Number.POSITIVE_INFINITY;
  for (const key of candidates) {
    const shared = uses.get(textOf(key)) ?? 0;
    if (shared < fewest) [best, fewest] = [key, shared];
  }
  return best;
}

/** Conditions that requests without the attribute never meet. */
function keys(dimension: Dimension, matcher: RequestMatcher, used: ReadonlySet<string>): Key[] {
  switch (dimension) {
    case "header":
      return namedKeys(matcher.headers, dimension, used).filter(({ name }) => !isPseudo(name));
    case "query":
      return namedKeys(matcher.queryParams, dimension, used);
    case "method":
      return textKeys(matcher.method, dimension, used);
    case "authority":
      return textKeys(matcher.authority, dimension, used);
    case "namespace": {
      const namespace = matcher.source?.namespace;
      return namespace === undefined || used.has("namespace:") ? [] : [{ name: "", value: namespace }];
    }
  }
}

function isPseudo(name: string): boolean {
  return name.startsWith(":") || name === "host";
}

function namedKeys(
  conditions: readonly NamedMatcher[],
  dimension: Dimension,
  used: ReadonlySet<string>,
): Key[] {
  return conditions
    .filter(({ name, invert }) => !invert && !used.has(`${dimension}:${name}`))
    .map(({ name, matcher }) => ({ name, value: exactValue(matcher) }));
}

function textKeys(matcher: TextMatcher | undefined, dimension: Dimension, used: ReadonlySet<string>): Key[] {
  if (matcher?.kind !== "exact" || used.has(`${dimension}:`)) return [];
  // Hosts are compared in lower case on both sides.
  if (matcher.ignoreCase && dimension !== "authority") return [];
  return [{ name: "", value: matcher.value }];
}

function exactValue(matcher: TextMatcher): string | undefined {
  return matcher.kind === "exact" && !matcher.ignoreCase ? matcher.value : undefined;
}
