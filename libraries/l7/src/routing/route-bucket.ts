/** Matches that the path does not tell apart, under what does (see route-index.ts). */

import { chooseDimension, type Dimension, type Split } from "./route-dimension.ts";
import type { RouteEntry, RouteSearch } from "./route-entry.ts";
import type { RoutedRequest } from "./routed-request.ts";

/** So few are asked one after the other faster than looked up. */
const ASKED_IN_TURN = 4;
/** With more names than this, the names of the request are looked up instead. */
const NAMES_IN_TURN = 4;
export class RouteBucket<Entry extends RouteEntry> {
  readonly #lowest: number;
  /** In ascending order; empty where there is a split. */
  readonly #entries: readonly Entry[];
  readonly #branches: Branches<Entry> | undefined;
  readonly #rest: RouteBucket<Entry> | undefined;

  /** `entries` in ascending order, at least one. `used`: what told them apart already. */
  constructor(entries: readonly Entry[], used: ReadonlySet<string> = new Set()) {
    this.#lowest = entries[0]?.order ?? 0;
    const split = entries.length <= ASKED_IN_TURN ? undefined : chooseDimension(entries, used);
    this.#entries = split === undefined ? entries : [];
    if (split === undefined) return;
    this.#branches = new Branches(split, used);
    if (split.rest.length > 0) this.#rest = new RouteBucket(split.rest, new Set([...used, split.dimension]));
  }

  search(request: RoutedRequest, search: RouteSearch<Entry>): void {
    if (this.#lowest >= search.bestOrder) return;
    for (const entry of this.#entries) {
      if (entry.order >= search.bestOrder) return;
      if (entry.matcher?.matches(request) === false) continue;
      search.best = entry;
      search.bestOrder = entry.order;
      return;
    }
    this.#branches?.search(request, search);
    this.#rest?.search(request, search);
  }
}

/** Under one name: those that ask for a value, and those that ask for anything else of it. */
class NamedBuckets<Entry extends RouteEntry> {
  readonly byValue = new Map<string, RouteBucket<Entry>>();
  other: RouteBucket<Entry> | undefined;

  search(value: string, request: RoutedRequest, search: RouteSearch<Entry>): void {
    this.byValue.get(value)?.search(request, search);
    this.other?.search(request, search);
  }
}

class Branches<Entry extends RouteEntry> {
  readonly #dimension: Dimension;
  readonly #byName = new Map<string, NamedBuckets<Entry>>();

  constructor({ dimension, groups }: Split<Entry>, used: ReadonlySet<string>) {
    this.#dimension = dimension;
    for (const { name, value, entries } of groups) {
      const named = this.#byName.get(name) ?? new NamedBuckets<Entry>();
      this.#byName.set(name, named);
      const bucket = new RouteBucket(entries, new Set([...used, `${dimension}:${name}`]));
      if (value === undefined) named.other = bucket;
      else named.byValue.set(value, bucket);
    }
  }

  search(request: RoutedRequest, search: RouteSearch<Entry>): void {
    switch (this.#dimension) {
      case "header":
        this.#searchHeaders(request, search);
        break;
      case "query":
        this.#searchQuery(request, search);
        break;
      case "method":
        this.#searchOne(request.method, request, search);
        break;
      case "authority":
        this.#searchOne(request.lowerAuthority, request, search);
        break;
      case "namespace":
        this.#searchOne(request.caller.identity?.namespace, request, search);
        break;
    }
  }

  /** Dimensions of a single name. */
  #searchOne(value: string | undefined, request: RoutedRequest, search: RouteSearch<Entry>): void {
    if (value !== undefined) this.#byName.get("")?.search(value, request, search);
  }

  #searchHeaders(request: RoutedRequest, search: RouteSearch<Entry>): void {
    if (this.#byName.size <= NAMES_IN_TURN) {
      for (const [name, named] of this.#byName) {
        const value = request.headers.joined(name);
        if (value !== undefined) named.search(value, request, search);
      }
      return;
    }
    const { flat } = request.headers;
    for (let at = 0; at < flat.length; at += 2) {
      const name = flat[at] ?? "";
      const named = this.#byName.get(name);
      if (named !== undefined) named.search(request.headers.joined(name) ?? "", request, search);
    }
  }

  #searchQuery(request: RoutedRequest, search: RouteSearch<Entry>): void {
    if (this.#byName.size <= NAMES_IN_TURN) {
      for (const [name, named] of this.#byName) {
        const value = request.queryParameter(name);
        if (value !== undefined) named.search(value, request, search);
      }
      return;
    }
    for (const [name, value] of request.queryParameters)
      this.#byName.get(name)?.search(value, request, search);
  }
}
