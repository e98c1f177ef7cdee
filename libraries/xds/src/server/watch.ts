/**
 * What one stream wants of one type, and how far it has been told (reference: protocol §3.8). Sans-IO: requests and
 * acknowledgements go in, the parts of the next response come out, one response at a time: until the client has answered,
 * further changes only gather in the log, so that a slow client costs no memory and gets the newest state.
 */

import type { discovery } from "@meltemi/wire";
import { cidrKeyContains, parseCidrKey } from "./cidr-key.ts";
import type { EncodedResource } from "./encoded.ts";
import type { ResourceLog } from "./resource-log.ts";

/** Names that one client may ask for; see the client's own bound. */
export const MAX_WATCHED_NAMES = 100_000;
export const MAX_NAME_LENGTH = 1024;

export type Answer =
  | { readonly kind: "ack"; readonly nonce: string }
  | { readonly kind: "nack"; readonly nonce: string; readonly message: string }
  /** Answers a response that is not the last one. */
  | { readonly kind: "stale"; readonly nonce: string }
  | { readonly kind: "none" };

export type Next =
  | { readonly kind: "nothing" }
  | {
      readonly kind: "respond";
      readonly nonce: string;
      readonly resources: readonly EncodedResource[];
      readonly removedNames: readonly string[];
      readonly withAliases: boolean;
    }
  /** The log no longer reaches back to where this watch stands. */
  | { readonly kind: "behind" };

export interface WatchStatus {
  readonly wildcard: boolean;
  readonly nameCount: number;
  readonly sentNonce: string;
  readonly ackedNonce: string;
  readonly nackMessage: string | undefined;
}

export interface Watch {
  /** Books a later request of the type. */
  update(request: discovery.DeltaDiscoveryRequest): Answer;
  /**
   * What to send now. A response that is handed out counts as sent. `holdRemovals` keeps back what is gone: a later call
   * without it tells the client.
   */
  next(log: ResourceLog, holdRemovals?: boolean): Next;
  /** Removals were kept back. */
  readonly owesRemovals: boolean;
  /** Gives up on the answer to the last response, so that the watch goes on. */
  forgetAnswer(nonce: string): void;
  readonly awaitingAnswer: boolean;
  /** False until the first response, which may hold everything there is. */
  readonly hasBegun: boolean;
  readonly status: WatchStatus;
}

/** Begins a watch with the first request of its type. `implicitKeys`: what a client on demand gets unasked. */
export function createWatch(first: discovery.DeltaDiscoveryRequest, implicitKeys: readonly string[]): Watch {
  const names = new Set<string>(implicitKeys);
  // The oldest form of the protocol: naming nothing in the first request means everything.
  let wildcard = first.resourceNamesSubscribe.length === 0;
  /** Names to answer for even when nothing changed. */
  const owed = new Set<string>();
  const keptRemovals = new Set<string>();
  let held: ReadonlyMap<string, string> | undefined = new Map(Object.entries(first.initialResourceVersions));
  let place = 0;
  let sequence = 0;
  let awaiting: string | undefined;
  let ackedNonce = "";
  let nackMessage: string | undefined;

  const resubscribe = (request: discovery.DeltaDiscoveryRequest): void => {
    for (const name of request.resourceNamesSubscribe) {
      if (name === "*") wildcard = true;
      else {
        names.add(name);
        owed.add(name);
      }
    }
    for (const name of request.resourceNamesUnsubscribe) {
      if (name === "*") wildcard = false;
      names.delete(name);
      owed.delete(name);
    }
  };
  const answerOf = (request: discovery.DeltaDiscoveryRequest): Answer => {
    const nonce = request.responseNonce;
    if (nonce === "") return { kind: "none" };
    if (nonce !== awaiting) return { kind: "stale", nonce };
    awaiting = undefined;
    if (request.errorDetail === undefined) {
      ackedNonce = nonce;
      nackMessage = undefined;
      return { kind: "ack", nonce };
    }
    nackMessage = request.errorDetail.message;
    return { kind: "nack", nonce, message: nackMessage };
  };
  const begin = (log: ResourceLog, versions: ReadonlyMap<string, string>): Delta => {
    if (wildcard) return differenceOfAll(log, versions);
    for (const name of versions.keys()) names.add(name);
    return differenceOfNames(log, names, versions);
  };

  resubscribe(first);
  // After a reconnect only what waits for its first answer is owed one; of the rest the client names what it holds.
  for (const name of owed) if (first.initialResourceVersions[name] !== "") owed.delete(name);
  return {
    update(request) {
      const answer = answerOf(request);
      resubscribe(request);
      return answer;
    },
    next(log, holdRemovals = false) {
      if (awaiting !== undefined) return { kind: "nothing" };
      if (held === undefined && place < log.floor) return { kind: "behind" };
      const isFirst = held !== undefined;
      const keys = wildcard ? undefined : names;
      const delta = held === undefined ? changesSince(log, place, keys) : begin(log, held);
      addOwed(delta, log, owed);
      held = undefined;
      owed.clear();
      place = log.head;
      const removedNames = settleRemovals(delta, keptRemovals, holdRemovals);
      // The first response is sent even when empty: it tells the client that it is up to date.
      if (!isFirst && delta.resources.size === 0 && removedNames.length === 0) return { kind: "nothing" };
      awaiting = String(++sequence);
      return {
        kind: "respond",
        nonce: awaiting,
        resources: [...delta.resources.values()],
        removedNames,
        withAliases: !wildcard,
      };
    },
    forgetAnswer(nonce) {
      if (awaiting === nonce) awaiting = undefined;
    },
    get awaitingAnswer() {
      return awaiting !== undefined;
    },
    get owesRemovals() {
      return keptRemovals.size > 0;
    },
    get hasBegun() {
      return held === undefined;
    },
    get status() {
      return { wildcard, nameCount: names.size, sentNonce: String(sequence), ackedNonce, nackMessage };
    },
  };
}

/** Adds to `kept`, without what is there again; hands it out unless it is to be held. */
function settleRemovals(delta: Delta, kept: Set<string>, hold: boolean): readonly string[] {
  for (const name of delta.resources.keys()) kept.delete(name);
  for (const name of delta.removedNames) kept.add(name);
  if (hold) return [];
  const removedNames = [...kept];
  kept.clear();
  return removedNames;
}

interface Delta {
  readonly resources: Map<string, EncodedResource>;
  readonly removedNames: Set<string>;
}

function differenceOfAll(log: ResourceLog, versions: ReadonlyMap<string, string>): Delta {
  const delta: Delta = { resources: new Map(), removedNames: new Set() };
  for (const resource of log.resources()) {
    if (versions.get(resource.name) !== resource.version) delta.resources.set(resource.name, resource);
  }
  for (const name of versions.keys()) if (log.get(name) === undefined) delta.removedNames.add(name);
  return delta;
}

function differenceOfNames(
  log: ResourceLog,
  keys: ReadonlySet<string>,
  versions: ReadonlyMap<string, string>,
): Delta {
  const delta: Delta = { resources: new Map(), removedNames: new Set() };
  for (const key of keys) {
    const found = log.matching(key);
    for (const resource of found) {
      if (versions.get(resource.name) !== resource.version) delta.resources.set(resource.name, resource);
    }
    if (!found.some(isNamed(key)) && !key.startsWith("\0")) delta.removedNames.add(key);
  }
  return delta;
}

/** Whether a match stands for the key itself. Pods that back a service match its name too, also when there is no such service. */
function isNamed(key: string): (resource: EncodedResource) => boolean {
  return ({ name, aliases }) =>
    name === key ||
    aliases.some((alias) => {
      if (alias === key) return true;
      const cidr = parseCidrKey(alias);
      return cidr !== undefined && cidrKeyContains(cidr, key);
    });
}

/** `keys` undefined: everything. Otherwise what matches now is sent, and what matched before and no longer does is withdrawn. */
function changesSince(log: ResourceLog, place: number, keys: ReadonlySet<string> | undefined): Delta {
  const delta: Delta = { resources: new Map(), removedNames: new Set() };
  const wants = (candidates: readonly string[]): boolean =>
    keys === undefined || candidates.some((key) => keys.has(key) || isNetworkOfSome(key, keys));
  for (const { name, previousKeys } of log.changesSince(place)) {
    const resource = log.get(name);
    if (resource !== undefined && wants(resource.keys)) delta.resources.set(name, resource);
    else if (previousKeys.length > 0 && wants(previousKeys)) delta.removedNames.add(name);
  }
  return delta;
}

function isNetworkOfSome(key: string, names: ReadonlySet<string>): boolean {
  const cidr = parseCidrKey(key);
  if (cidr === undefined) return false;
  for (const name of names) if (cidrKeyContains(cidr, name)) return true;
  return false;
}

/** A name that was asked for is always answered: with what it stands for, or as removed. */
function addOwed(delta: Delta, log: ResourceLog, owed: ReadonlySet<string>): void {
  for (const name of owed) {
    const found = log.matching(name);
    for (const resource of found) {
      const given = delta.resources.get(resource.name) ?? resource;
      delta.resources.set(resource.name, isNamed(name)(given) ? withAlias(given, name) : given);
    }
    if (!found.some(isNamed(name))) delta.removedNames.add(name);
  }
}

/** Whoever asked for an address of a network waits for that address to be named. */
function withAlias(resource: EncodedResource, name: string): EncodedResource {
  if (resource.name === name || resource.aliases.includes(name)) return resource;
  return { ...resource, aliases: [...resource.aliases, name] };
}
