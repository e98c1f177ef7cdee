/**
 * Keeps the key sets of token issuers fetched (reference: l7-and-cli §2.3). Waypoints never fetch: they are told keys, and of an
 * issuer whose keys never came they are told a set that no token is good for.
 */

import type { TokenRule } from "@meltemi/resources";
import { type Clock, describeError, detach, type Logger, MeshError, type Timer } from "@meltemi/runtime";
import type { Collection } from "../compile/collection.ts";
import type { KeySetFacts } from "../compile/l7/facts.ts";
import { keySetKey } from "../compile/l7/target-keys.ts";

type RemoteKeys = Exclude<TokenRule["keys"], { readonly kind: "inline" }>;

export interface KeySetResolverDependencies {
  readonly clock: Clock;
  readonly log: Logger;
  /** The document behind a URL; rejects when there is none. */
  readonly fetchJson: (url: string, timeoutMs: number) => Promise<unknown>;
  readonly keySets: Collection<KeySetFacts>;
  /** A set is there, or other than before. */
  readonly onChange: () => void;
}

export interface KeySetResolver {
  /** All that is in use now: what is new is fetched, what is not wanted any more is forgotten. */
  want(rules: Iterable<TokenRule>): void;
  /** All that are wanted now have been tried once. */
  settled(): Promise<void>;
  stop(): void;
}

/** Istio's `PILOT_JWT_PUB_KEY_REFRESH_INTERVAL`. */
export const REFRESH_MS: number = 20 * 60_000;
export const RETRY_MS: number = 60_000;
/** Issuers of one mesh; each costs a request every twenty minutes. */
const MAX_KEY_SETS = 1_000;
/** An outage of the network must not become a thousand connections at once. */
const MAX_UNDER_WAY = 16;

interface Kept {
  readonly keys: RemoteKeys;
  timeoutMs: number;
  timer: Timer | undefined;
  /** False once it is not wanted any more. */
  wanted: boolean;
  readonly tried: PromiseWithResolvers<void>;
}

export function createKeySetResolver(deps: KeySetResolverDependencies): KeySetResolver {
  const { clock, log, keySets } = deps;
  const kept = new Map<string, Kept>();
  const queue: string[] = [];
  let underWay = 0;
  let hasWarned = false;

  const next = (): void => {
    while (underWay < MAX_UNDER_WAY) {
      const key = queue.shift();
      if (key === undefined) return;
      const set = kept.get(key);
      if (set === undefined) continue;
      underWay++;
      detach(
        () => refresh(key, set),
        (error) => log.error("key set not refreshed", { key, reason: describeError(error) }),
      );
    }
  };
  const refresh = async (key: string, set: Kept): Promise<void> => {
    let waitMs = REFRESH_MS;
    try {
      const jwks = await fetchKeySet(set.keys, (url) => deps.fetchJson(url, set.timeoutMs));
      if (set.wanted && keySets.put(key, { source: key, jwks })) deps.onChange();
    } catch (error) {
      // Keys that were fetched before stay: an issuer that is away for a while has not changed them.
      waitMs = RETRY_MS;
      log.warn("keys of a token issuer not fetched", {
        source: key,
        reason: describeError(error),
        kept: keySets.get(key) !== undefined,
      });
    } finally {
      underWay--;
      set.tried.resolve();
    }
    if (set.wanted) set.timer = clock.after(waitMs, () => enqueue(key));
    next();
  };
  const enqueue = (key: string): void => {
    queue.push(key);
    next();
  };
  const begin = (key: string, keys: RemoteKeys, timeoutMs: number): void => {
    if (kept.size < MAX_KEY_SETS) {
      const tried = Promise.withResolvers<void>();
      kept.set(key, { keys, timeoutMs, timer: undefined, wanted: true, tried });
      enqueue(key);
      return;
    }
    if (!hasWarned)
      log.warn("more token issuers than are fetched: tokens of the others are refused", {
        max: MAX_KEY_SETS,
      });
    hasWarned = true;
  };
  const forget = (key: string, set: Kept): void => {
    set.wanted = false;
    set.timer?.cancel();
    set.tried.resolve();
    kept.delete(key);
    if (keySets.put(key, undefined)) deps.onChange();
  };

  return {
    want(rules) {
      const wanted = new Map<string, { readonly keys: RemoteKeys; readonly timeoutMs: number }>();
      for (const { keys, timeoutMs } of rules)
        if (keys.kind !== "inline") wanted.set(keySetKey(keys), { keys, timeoutMs });
      for (const [key, set] of kept) if (!wanted.has(key)) forget(key, set);
      for (const [key, { keys, timeoutMs }] of wanted) {
        const known = kept.get(key);
        if (known !== undefined) known.timeoutMs = timeoutMs;
        else begin(key, keys, timeoutMs);
      }
    },
    settled: () => Promise.all([...kept.values()].map(({ tried }) => tried.promise)).then(() => undefined),
    stop() {
      for (const set of kept.values()) {
        set.wanted = false;
        set.timer?.cancel();
      }
      kept.clear();
    },
  };
}

/** By its URI, or by that which the issuer's discovery document names. */
async function fetchKeySet(keys: RemoteKeys, fetchJson: (url: string) => Promise<unknown>): Promise<string> {
  const uri = keys.kind === "uri" ? keys.uri : await discoverUri(keys.issuer, fetchJson);
  const document = await fetchJson(uri);
  const set = isFields(document) ? document["keys"] : undefined;
  if (!Array.isArray(set))
    throw new MeshError("INPUT_INVALID", `fetch keys from ${uri}: expected an object with a list "keys"`);
  return JSON.stringify({ keys: set });
}

async function discoverUri(issuer: string, fetchJson: (url: string) => Promise<unknown>): Promise<string> {
  const url = `${issuer.replace(/\/+$/, "")}/.well-known/openid-configuration`;
  const document = await fetchJson(url);
  const uri = isFields(document) ? document["jwks_uri"] : undefined;
  if (typeof uri === "string" && /^https?:\/\//.test(uri)) return uri;
  throw new MeshError("INPUT_INVALID", `fetch ${url}: expected an object with a URL "jwks_uri"`);
}

function isFields(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
