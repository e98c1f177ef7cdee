/** The controllers' common view: one informer per kind, shared by all of them, kinds of CRDs included as they come and go. */

import {
  CUSTOM_RESOURCE_DEFINITIONS,
  createInformer,
  type Informer,
  type InformerHandlers,
  type KubernetesClient,
  type KubernetesObject,
  namespaceOf,
  type ResourceType,
} from "@meltemi/kubernetes";
import { backoffMs, type Clock, delay, describeError, type Logger } from "@meltemi/runtime";
import { BY_NAMESPACE, BY_OWNER, ownersOf } from "./ownership.ts";
import { servedKinds } from "./served-kinds.ts";

export interface WorldDependencies {
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Logger;
}

/** Told of every change of every kind that is followed. */
type ChangeListener = (
  type: ResourceType,
  change: "add" | "update" | "delete",
  object: KubernetesObject,
) => void;

export interface World {
  /** Informer of a kind; started at the first call. */
  of<T extends KubernetesObject>(type: ResourceType<T>): Informer<T>;
  /** Kinds that are followed now. */
  kinds(): readonly ResourceType[];
  /** Kind by group and name, when it is followed. */
  find(apiVersion: string, kind: string): ResourceType | undefined;
  onChange(listener: ChangeListener): void;
  /** Every kind that is served is followed, and its first list is here. */
  synced(): Promise<void>;
  stop(): void;
}

/** New CRDs are noticed at once; this is for what notice misses. */
const REDISCOVER_MS = 60_000;
/** CRDs come in bunches, and are served a moment after they are stored. */
const SETTLE_MS = 250;
const DISCOVERY_BACKOFF = { baseMs: 200, maxMs: 5_000, jitter: 0.2 } as const;

/** Events are many, short-lived, and own nothing. */
const NOT_FOLLOWED: ReadonlySet<string> = new Set(["/events", "events.k8s.io/events"]);

export function createWorld(client: KubernetesClient, deps: WorldDependencies): World {
  return new SharedWorld(client, deps);
}

class SharedWorld implements World {
  readonly #client: KubernetesClient;
  readonly #deps: WorldDependencies;
  readonly #followed = new Map<
    string,
    { readonly type: ResourceType; readonly informer: Informer<KubernetesObject> }
  >();
  readonly #listeners: ChangeListener[] = [];
  readonly #stopped = new AbortController();
  #discovery: Promise<void> | undefined;

  constructor(client: KubernetesClient, deps: WorldDependencies) {
    this.#client = client;
    this.#deps = deps;
    const again = (): void => this.#rediscoverAfter(SETTLE_MS);
    this.of(CUSTOM_RESOURCE_DEFINITIONS).onChange({ add: again, update: again, delete: again });
  }

  of<T extends KubernetesObject>(type: ResourceType<T>): Informer<T> {
    const key = keyOfKind(type);
    const known = this.#followed.get(key);
    // One informer per kind: the map's key decides T.
    if (known !== undefined) return known.informer as Informer<T>;
    const options = {
      whenNotServed: "empty" as const,
      indexes: {
        [BY_OWNER]: (object: T) => ownersOf(object).map(({ uid }) => uid),
        [BY_NAMESPACE]: (object: T) => [namespaceOf(object)],
      },
    };
    const informer = createInformer(this.#client, type, options, this.#deps);
    this.#followed.set(key, { type, informer: informer as Informer<KubernetesObject> });
    const tell = (change: "add" | "update" | "delete") => (object: T) => {
      for (const listener of this.#listeners) listener(type, change, object);
    };
    const update = tell("update");
    const handlers: InformerHandlers<T> = {
      add: tell("add"),
      update: (_, object) => update(object),
      delete: tell("delete"),
    };
    informer.onChange(handlers);
    return informer;
  }

  kinds(): readonly ResourceType[] {
    return [...this.#followed.values()].map(({ type }) => type);
  }

  find(apiVersion: string, kind: string): ResourceType | undefined {
    const slash = apiVersion.indexOf("/");
    const group = slash < 0 ? "" : apiVersion.slice(0, slash);
    return this.kinds().find((type) => type.group === group && type.kind === kind);
  }

  onChange(listener: ChangeListener): void {
    this.#listeners.push(listener);
    for (const { type, informer } of this.#followed.values()) {
      for (const object of informer.list()) listener(type, "add", object);
    }
  }

  async synced(): Promise<void> {
    const { clock, random } = this.#deps;
    for (let attempt = 0; ; attempt++) {
      try {
        await this.#discover();
        break;
      } catch {
        // Told already. The server may come up after us.
        await delay(clock, backoffMs(DISCOVERY_BACKOFF, attempt, random), this.#stopped.signal);
      }
    }
    await Promise.all([...this.#followed.values()].map(({ informer }) => informer.synced));
    this.#rediscoverRegularly();
  }

  stop(): void {
    this.#stopped.abort();
    for (const { informer } of this.#followed.values()) informer.stop();
  }

  #rediscoverAfter(delayMs: number): void {
    if (this.#stopped.signal.aborted) return;
    this.#deps.clock.after(
      delayMs,
      () => void this.#discover().catch(() => this.#rediscoverAfter(REDISCOVER_MS)),
    );
  }

  #rediscoverRegularly(): void {
    if (this.#stopped.signal.aborted) return;
    this.#rediscoverAfter(0);
    this.#deps.clock.after(REDISCOVER_MS, () => this.#rediscoverRegularly());
  }

  /** One discovery at a time; a failure is told and leaves what is followed as it is. */
  #discover(): Promise<void> {
    this.#discovery ??= this.#discoverNow().finally(() => {
      this.#discovery = undefined;
    });
    return this.#discovery;
  }

  async #discoverNow(): Promise<void> {
    const { signal } = this.#stopped;
    try {
      const served = await servedKinds(this.#client, signal);
      for (const type of served) if (!NOT_FOLLOWED.has(keyOfKind(type))) this.of(type);
      if (signal.aborted) return;
      const keys = new Set(served.map(keyOfKind));
      for (const [key, { type, informer }] of this.#followed) {
        // Built-in kinds stay: controllers hold their informers.
        if (keys.has(key) || !type.group.includes(".") || type.group.endsWith(".k8s.io")) continue;
        informer.stop();
        this.#followed.delete(key);
      }
    } catch (error) {
      if (signal.aborted) return;
      this.#deps.log.warn("discovery failed", { error: describeError(error) });
      throw error;
    }
  }
}

function keyOfKind(type: ResourceType): string {
  return `${type.group}/${type.plural}`;
}
