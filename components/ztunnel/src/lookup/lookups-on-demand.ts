/**
 * The mesh on demand (`XDS_ON_DEMAND`; reference: protocol §3.1, §3.8, §5.1): names are asked for when a connection is about them, once however
 * many wait, and left when nobody has been about them for long. Without an answer a connection is refused; that an address is
 * nobody's is said by the control plane alone.
 */

import type { AddressChange, MeshSnapshot, WorkloadName } from "@meltemi/model";
import type { MeshStore } from "@meltemi/proxy-process";
import { type Clock, describeError, MeshError, type Timer } from "@meltemi/runtime";
import type { XdsClient } from "@meltemi/xds";
import { chooseLeaving, type NameUse, unneededResources } from "./choose-leaving.ts";
import type { LookedUp, Lookup, Lookups } from "./lookups.ts";
import { isFound, traceSnapshot } from "./traced-snapshot.ts";

/** Of one connection, for all of its names; as long as for its own pod and its policies. */
export const LOOKUP_TIMEOUT_MS = 5000;
/** What only names a peer in metrics and logs is not worth a longer wait. */
export const DESCRIBE_TIMEOUT_MS = 500;
/** Destination, waypoint, its endpoints, a gateway, its endpoints: a mesh that leads further leads in circles. */
const MAX_STEPS = 8;
/** istiod does not tell when an address that was nobody's becomes somebody's (our control plane does): it is asked again. */
export const ABSENT_FOR_MS = 10_000;
/** Peers of all pods of a node within {@link IDLE_MS}, with room; a name and what it stands for cost about a kilobyte. */
const MAX_NAMES = 20_000;
/** A quarter: one pod that scans addresses leaves room to three more before it costs others anything. */
export const MAX_NAMES_PER_ASKER: number = MAX_NAMES / 4;
/** Leaving names costs a new stream, and those that come back their wait. */
export const IDLE_MS: number = 30 * 60_000;
const TIDY_INTERVAL_MS = 10 * 60_000;
/** Whoever asks for more names than fit is refused the rest of this time; others only lose what they do not use. */
export const MIN_TIDY_INTERVAL_MS = 10_000;
/** As control planes take them. */
const MAX_NAME_LENGTH = 1024;

interface OnDemandLookupsDeps {
  readonly mesh: Pick<MeshStore, "current">;
  readonly clock: Clock;
  /** Name of this proxy's node. */
  readonly node: string;
  /** Takes resources out of the mesh. */
  readonly drop: (changes: readonly AddressChange[]) => void;
  /** Resources of the static configuration, which no name stands for. */
  readonly staticNames: ReadonlySet<string>;
  readonly onNameCount: (count: number) => void;
}

export type DemandedClient = Pick<XdsClient, "fetch" | "renew" | "forget" | "connected">;

interface OnDemandLookups extends Lookups, Disposable {
  /** Once, before the first connection. */
  useControlPlane(client: DemandedClient): void;
}

interface FollowedName {
  readonly asker: string;
  usedMs: number;
  /** When the control plane last said what it is; undefined: not yet. */
  answeredMs: number | undefined;
  waiting: number;
  keepers: number;
}

export function createOnDemandLookups(deps: OnDemandLookupsDeps): OnDemandLookups {
  return new FollowedNames(deps);
}

class FollowedNames implements OnDemandLookups {
  readonly #deps: OnDemandLookupsDeps;
  /** The longest unused first. */
  readonly #names = new Map<string, FollowedName>();
  readonly #countByAsker = new Map<string, number>();
  /** Pods that are kept, `namespace/name`, and how often: a pod may come back before its former self has drained. */
  readonly #served = new Map<string, number>();
  #client: DemandedClient | undefined;
  #tidyTimer: Timer;
  #tidiedMs = Number.NEGATIVE_INFINITY;

  constructor(deps: OnDemandLookupsDeps) {
    this.#deps = deps;
    this.#tidyTimer = this.#tidyLater();
  }

  useControlPlane(client: DemandedClient): void {
    this.#client = client;
    for (const [name, { asker }] of this.#names) this.#askUnwaited(name, asker);
  }

  complete(lookup: Lookup, signal?: AbortSignal): LookedUp | Promise<LookedUp> {
    const snapshot = this.#deps.mesh.current;
    const missing = this.#missing(snapshot, lookup);
    return missing.length === 0 ? { kind: "known", snapshot } : this.#fetchAll(lookup, missing, signal);
  }

  async describe(asker: string, names: readonly string[], signal?: AbortSignal): Promise<void> {
    // Traffic that is judged by what is known goes on while the control plane is away.
    if (this.#client?.connected !== true) return;
    const unknown = names.filter((name) => !this.#isKnown(this.#deps.mesh.current, name));
    if (unknown.length === 0) return;
    await this.#within(DESCRIBE_TIMEOUT_MS, signal, async (limit) => {
      await Promise.allSettled(unknown.map((name) => this.#ask(name, asker, limit)));
    });
  }

  keepPod(pod: WorkloadName, clusterId: string): () => void {
    const name = `${pod.namespace}/${pod.name}`;
    const uid = `${clusterId}//Pod/${name}`;
    this.#served.set(name, (this.#served.get(name) ?? 0) + 1);
    const followed = this.#names.get(uid) ?? this.#follow(uid, "");
    followed.keepers++;
    this.#askUnwaited(uid, "");
    return () => {
      followed.keepers--;
      decrement(this.#served, name);
    };
  }

  [Symbol.dispose](): void {
    this.#tidyTimer.cancel();
  }

  async #fetchAll(lookup: Lookup, first: readonly string[], signal?: AbortSignal): Promise<LookedUp> {
    let missing = first;
    try {
      return await this.#within(LOOKUP_TIMEOUT_MS, signal, async (limit) => {
        for (let step = 0; step < MAX_STEPS; step++) {
          await Promise.all(missing.map((name) => this.#ask(name, lookup.asker, limit)));
          const snapshot = this.#deps.mesh.current;
          missing = this.#missing(snapshot, lookup);
          if (missing.length === 0) return { kind: "known", snapshot };
        }
        return unknown(`${missing.join(", ")}: more than ${MAX_STEPS} steps from the destination`);
      });
    } catch (error) {
      if (error instanceof MeshError || signal?.aborted === true) return unknown(describeError(error));
      throw error;
    }
  }

  /** The names that the decision looks at and that nobody has answered for. */
  #missing(snapshot: MeshSnapshot, { decide, namesOfHostname }: Lookup): readonly string[] {
    const trace = traceSnapshot(snapshot, namesOfHostname);
    decide(trace.snapshot);
    return [...trace.names].filter((name) => !this.#isKnown(snapshot, name));
  }

  /** Counts as a use of the name. An absence that is old is asked for again, unless nobody is there to answer: then the last word holds. */
  #isKnown(snapshot: MeshSnapshot, name: string): boolean {
    if (!isAskable(name)) return true;
    const followed = this.#names.get(name);
    if (followed === undefined) return false;
    const nowMs = this.#deps.clock.monotonicMs();
    followed.usedMs = nowMs;
    this.#names.delete(name);
    this.#names.set(name, followed);
    if (followed.answeredMs === undefined) return false;
    if (isFound(snapshot, name)) return true;
    if (nowMs - followed.answeredMs < ABSENT_FOR_MS || this.#client?.connected !== true) return true;
    followed.answeredMs = undefined;
    this.#client.renew(name);
    return false;
  }

  /** Resolves when it is answered; rejects with LIMIT_EXCEEDED, or what `limit` says. */
  async #ask(name: string, asker: string, limit?: AbortSignal): Promise<void> {
    const client = this.#client;
    if (client === undefined)
      throw new MeshError("UNAVAILABLE", `look up ${name}: there is no control plane`);
    const followed = this.#names.get(name) ?? this.#follow(name, asker);
    followed.waiting++;
    try {
      await client.fetch(name, limit);
      followed.answeredMs = this.#deps.clock.monotonicMs();
    } finally {
      followed.waiting--;
    }
  }

  #askUnwaited(name: string, asker: string): void {
    // It fails when the client ends, and with it all that would want the answer.
    if (this.#client !== undefined) this.#ask(name, asker).catch(() => undefined);
  }

  #follow(name: string, asker: string): FollowedName {
    this.#makeRoom(name, asker);
    const usedMs = this.#deps.clock.monotonicMs();
    const followed = { asker, usedMs, answeredMs: undefined, waiting: 0, keepers: 0 };
    this.#names.set(name, followed);
    this.#countByAsker.set(asker, (this.#countByAsker.get(asker) ?? 0) + 1);
    this.#deps.onNameCount(this.#names.size);
    return followed;
  }

  #makeRoom(name: string, asker: string): void {
    // What pods of this node are named is bounded by the pods.
    if (asker === "" || this.#hasRoom(asker)) return;
    if (this.#deps.clock.monotonicMs() - this.#tidiedMs >= MIN_TIDY_INTERVAL_MS) this.#tidy();
    if (this.#hasRoom(asker)) return;
    throw new MeshError(
      "LIMIT_EXCEEDED",
      `look up ${name}: at most ${MAX_NAMES_PER_ASKER} names of one pod and ${MAX_NAMES} in all are followed`,
    );
  }

  #hasRoom(asker: string): boolean {
    return this.#names.size < MAX_NAMES && (this.#countByAsker.get(asker) ?? 0) < MAX_NAMES_PER_ASKER;
  }

  /** Leaves names, and with them what they alone stood for. In one turn: nobody decides by half of it. */
  #tidy(): void {
    const { clock, mesh, node, staticNames } = this.#deps;
    this.#tidiedMs = clock.monotonicMs();
    const uses = new Map<string, NameUse>();
    for (const [name, { asker, usedMs, waiting, keepers }] of this.#names)
      uses.set(name, { asker, usedMs, isPinned: waiting > 0 || keepers > 0 });
    const limits = { maxNames: MAX_NAMES, maxNamesPerAsker: MAX_NAMES_PER_ASKER, idleMs: IDLE_MS };
    const leaving = chooseLeaving(uses, this.#tidiedMs, limits);
    if (leaving.length === 0) return;
    for (const name of leaving) this.#unfollow(name);
    const unneeded = unneededResources(mesh.current, { names: this.#names, node, served: this.#served });
    const dropped = unneeded.filter((name) => !staticNames.has(name));
    this.#deps.drop(dropped.map((name) => ({ kind: "remove", name })));
    this.#client?.forget(leaving, dropped);
    this.#deps.onNameCount(this.#names.size);
  }

  #unfollow(name: string): void {
    const asker = this.#names.get(name)?.asker ?? "";
    this.#names.delete(name);
    decrement(this.#countByAsker, asker);
  }

  #tidyLater(): Timer {
    return this.#deps.clock.after(TIDY_INTERVAL_MS, () => {
      this.#tidy();
      this.#tidyTimer = this.#tidyLater();
    });
  }

  async #within<T>(
    timeoutMs: number,
    signal: AbortSignal | undefined,
    work: (limit: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const limit = new AbortController();
    const late = new MeshError("TIMEOUT", `the control plane did not answer within ${timeoutMs} ms`);
    const timer = this.#deps.clock.after(timeoutMs, () => limit.abort(late));
    const giveUp = (): void => limit.abort(signal?.reason);
    if (signal?.aborted === true) giveUp();
    signal?.addEventListener("abort", giveUp, { once: true });
    try {
      return await work(limit.signal);
    } finally {
      timer.cancel();
      signal?.removeEventListener("abort", giveUp);
    }
  }
}

function decrement(counts: Map<string, number>, key: string): void {
  const left = (counts.get(key) ?? 1) - 1;
  if (left === 0) counts.delete(key);
  else counts.set(key, left);
}

/** What no control plane would take is nobody's name. */
function isAskable(name: string): boolean {
  return name.length <= MAX_NAME_LENGTH && /^[!-)+-~]*\/[!-~]*$/.test(name);
}

function unknown(why: string): LookedUp {
  return { kind: "unknown", message: `look up destination: ${why}` };
}
