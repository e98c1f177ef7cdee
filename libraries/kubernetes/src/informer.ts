/** Keeps a local, current copy of the objects of one kind. Drives {@link stepInformer}; never stops but by `stop()`. */

import { backoffMs, type Clock, describeError, type Logger, type Timer, unreachable } from "@meltemi/runtime";
import type { KubernetesClient, Selection } from "./client-types.ts";
import {
  type InformerEffect,
  type InformerEvent,
  type InformerState,
  stepInformer,
} from "./informer-step.ts";
import { type Change, type IndexFunction, ObjectStore } from "./object-store.ts";
import type { KubernetesObject, ResourceType } from "./resource-type.ts";
import { isGone, isNotFound, statusOf } from "./status-error.ts";

export interface InformerOptions<T> extends Selection {
  /** Named lookups beside the key: `byIndex(name, value)`. */
  readonly indexes?: Readonly<Record<string, IndexFunction<T>>>;
  /** What a 404 on the list means: "retry" (default) waits for the kind, "empty" counts as synced with no objects until its CRD arrives. */
  readonly whenNotServed?: "retry" | "empty";
  /** Longest pause between tries while the server forbids the list; default as after any failure, 30 s. For those that are many. */
  readonly forbiddenMaxMs?: number;
  /** Told when the server begins to forbid the list, and when it no longer does; then after the objects of that list. */
  readonly onForbidden?: (isForbidden: boolean) => void;
}

export interface InformerDependencies {
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  readonly log: Logger;
}

/** Objects are frozen. During a relist, deletions missed meanwhile are told like any other. */
export interface InformerHandlers<T> {
  add?(object: T): void;
  update?(previous: T, object: T): void;
  /** The last known form of the object. */
  delete?(object: T): void;
}

export interface Informer<T> {
  /** The first complete list is in the store. Never rejects; pends for good when stopped before. */
  readonly synced: Promise<void>;
  readonly hasSynced: boolean;
  /** By `namespace/name`, or `name` for kinds without namespace. */
  get(key: string): T | undefined;
  list(): readonly T[];
  /** Throws a RangeError for an index that was not declared. */
  byIndex(index: string, value: string): readonly T[];
  /** Adds handlers and tells them of every object known already, unless `replay` is false. Returns how to remove them. */
  onChange(handlers: InformerHandlers<T>, options?: { readonly replay?: boolean }): () => void;
  stop(): void;
}

const BACKOFF = { baseMs: 200, maxMs: 30_000, jitter: 0.3 } as const;
/** The server is asked to end each watch after 5 to 10 minutes, so that no connection is older than that. */
const WATCH_SECONDS = 300;
/** Bookmarks come about every minute and the server ends the watch by itself: silence beyond this is a dead peer. */
const SILENCE_MS = 2 * 60_000;
/** A watch that was open for this long was a success, whatever ended it. */
const LASTING_WATCH_MS = 10_000;

/** Starts at once. `client` needs only list and watch. */
export function createInformer<T extends KubernetesObject>(
  client: Pick<KubernetesClient, "list" | "watch">,
  type: ResourceType<T>,
  options: InformerOptions<T>,
  deps: InformerDependencies,
): Informer<T> {
  const store = new ObjectStore<T>(options.indexes);
  const handlers = new Set<InformerHandlers<T>>();
  const sync = Promise.withResolvers<void>();
  let hasSynced = false;
  const run = new InformerRun(client, type, options, store, deps, (changes, complete) => {
    for (const change of changes) for (const each of handlers) tell(each, change, deps.log, type);
    if (complete && !hasSynced) {
      hasSynced = true;
      sync.resolve();
    }
  });
  run.start();
  return {
    synced: sync.promise,
    get hasSynced() {
      return hasSynced;
    },
    get: (key) => store.get(key),
    list: () => store.values(),
    byIndex: (index, value) => store.byIndex(index, value),
    onChange(added, { replay = true } = {}) {
      // A copy: the same handlers given twice are two subscriptions.
      const own: InformerHandlers<T> = { ...added };
      handlers.add(own);
      for (const object of replay ? store.values() : []) tell(own, { kind: "add", object }, deps.log, type);
      return () => handlers.delete(own);
    },
    stop: () => run.stop(),
  };
}

type Sink<T> = (changes: readonly Change<T>[], complete: boolean) => void;

/** A handler that throws is a bug in it; the informer and the other handlers go on. */
function tell<T>(handlers: InformerHandlers<T>, change: Change<T>, log: Logger, type: ResourceType): void {
  try {
    switch (change.kind) {
      case "add":
        handlers.add?.(change.object);
        return;
      case "update":
        handlers.update?.(change.previous, change.object);
        return;
      case "delete":
        handlers.delete?.(change.object);
        return;
      default:
        unreachable(change);
    }
  } catch (error) {
    log.error("informer handler failed", {
      kind: type.kind,
      change: change.kind,
      error: describeError(error),
    });
  }
}

class InformerRun<T extends KubernetesObject> {
  #state: InformerState = { kind: "new" };
  /** Ends the list or watch under way; replaced with each. */
  #operation = new AbortController();
  #timer: Timer | undefined;
  /** Why the last list failed. */
  #told: string | undefined;
  #isForbidden = false;
  readonly #client: Pick<KubernetesClient, "list" | "watch">;
  readonly #type: ResourceType<T>;
  readonly #options: InformerOptions<T>;
  readonly #store: ObjectStore<T>;
  readonly #deps: InformerDependencies;
  readonly #sink: Sink<T>;

  constructor(
    client: Pick<KubernetesClient, "list" | "watch">,
    type: ResourceType<T>,
    options: InformerOptions<T>,
    store: ObjectStore<T>,
    deps: InformerDependencies,
    sink: Sink<T>,
  ) {
    this.#client = client;
    this.#type = type;
    this.#options = options;
    this.#store = store;
    this.#deps = deps;
    this.#sink = sink;
  }

  start(): void {
    this.#feed({ kind: "start" });
  }

  stop(): void {
    this.#feed({ kind: "stop" });
  }

  #feed(event: InformerEvent): void {
    const { state, effects } = stepInformer(this.#state, event);
    this.#state = state;
    for (const effect of effects) this.#perform(effect);
  }

  #perform(effect: InformerEffect): void {
    switch (effect.kind) {
      case "list":
        void this.#list(this.#begin());
        return;
      case "watch":
        void this.#watch(effect.resourceVersion, this.#begin());
        return;
      case "wait": {
        const { forbiddenMaxMs = BACKOFF.maxMs } = this.#options;
        const maxMs = this.#isForbidden ? forbiddenMaxMs : BACKOFF.maxMs;
        const delayMs = backoffMs({ ...BACKOFF, maxMs }, effect.attempt, this.#deps.random);
        this.#timer = this.#deps.clock.after(delayMs, () => this.#feed({ kind: "retryDue" }));
        return;
      }
      case "cancel":
        this.#operation.abort();
        this.#timer?.cancel();
        return;
      default:
        unreachable(effect);
    }
  }

  #begin(): AbortSignal {
    this.#operation.abort();
    this.#operation = new AbortController();
    return this.#operation.signal;
  }

  async #list(signal: AbortSignal): Promise<void> {
    const { namespace, labelSelector, fieldSelector } = this.#options;
    try {
      const selection = { namespace, labelSelector, fieldSelector };
      const { items, resourceVersion } = await this.#client.list(this.#type, { ...selection, signal });
      if (signal.aborted) return;
      this.#told = undefined;
      this.#sink(this.#store.replaceAll(items), true);
      this.#setForbidden(false);
      this.#feed({ kind: "listed", resourceVersion });
    } catch (error) {
      if (signal.aborted) return;
      this.#setForbidden(statusOf(error)?.code === 403);
      if (isNotFound(error) && this.#options.whenNotServed === "empty")
        this.#sink(this.#store.replaceAll([]), true);
      else this.#tell(describeError(error));
      this.#feed({ kind: "listFailed" });
    }
  }

  #setForbidden(isForbidden: boolean): void {
    if (isForbidden === this.#isForbidden) return;
    this.#isForbidden = isForbidden;
    this.#options.onForbidden?.(isForbidden);
  }

  /** A right that is missing fails every 30 s for as long as it is: once is enough for a person, the rest is for who debugs. */
  #tell(error: string): void {
    const { log } = this.#deps;
    const { kind } = this.#type;
    const { fieldSelector, namespace } = this.#options;
    const fields = { kind, ...(namespace && { namespace }), ...(fieldSelector && { fieldSelector }), error };
    if (error === this.#told) log.debug("list failed again", fields);
    else log.warn("list failed", fields);
    this.#told = error;
  }

  async #watch(resourceVersion: string, signal: AbortSignal): Promise<void> {
    const { namespace, labelSelector, fieldSelector } = this.#options;
    const timeoutSeconds = Math.round(WATCH_SECONDS * (1 + this.#deps.random()));
    const selection = { namespace, labelSelector, fieldSelector, resourceVersion, timeoutSeconds, signal };
    const beganMs = this.#deps.clock.monotonicMs();
    const lasted = (): boolean => this.#deps.clock.monotonicMs() - beganMs >= LASTING_WATCH_MS;
    let silence = this.#armSilence();
    let how: "clean" | "failed" | "gone" = "clean";
    try {
      for await (const event of this.#client.watch(this.#type, selection)) {
        if (signal.aborted) return;
        silence.cancel();
        silence = this.#armSilence();
        if (event.kind === "bookmark") {
          this.#feed({ kind: "heard", resourceVersion: event.resourceVersion });
          continue;
        }
        const { object } = event;
        const change = event.kind === "deleted" ? this.#store.remove(object) : this.#store.put(object);
        if (change !== undefined) this.#sink([change], false);
        this.#feed({ kind: "heard", resourceVersion: object.metadata?.resourceVersion ?? "" });
      }
    } catch (error) {
      if (signal.aborted) return;
      how = isGone(error) ? "gone" : "failed";
      this.#deps.log.debug("watch ended", { kind: this.#type.kind, how, error: describeError(error) });
    } finally {
      silence.cancel();
    }
    if (!signal.aborted) this.#feed({ kind: "watchEnded", how, lasted: lasted() });
  }

  #armSilence(): Timer {
    return this.#deps.clock.after(SILENCE_MS, () => {
      this.#operation.abort();
      this.#deps.log.warn("watch is silent, making a new one", {
        kind: this.#type.kind,
        afterMs: SILENCE_MS,
      });
      this.#feed({ kind: "watchEnded", how: "silent", lasted: true });
    });
  }
}
