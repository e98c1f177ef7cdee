/** The part of an API server that the CA uses, in memory, for tests: versions, conflicts, watches, faults to order. */

import {
  type KubernetesClient,
  type KubernetesObject,
  keyOf,
  type ObjectRef,
  type Patch,
  type ResourceType,
  type TokenVerdict,
  type WatchEvent,
} from "@meltemi/kubernetes";
import { MeshError } from "@meltemi/runtime";

type Calls = Pick<KubernetesClient, "list" | "watch" | "create" | "replace" | "patch" | "reviewToken">;

export interface MemoryApi extends Calls {
  get<T extends KubernetesObject>(type: ResourceType<T>, key: string): T | undefined;
  remove(type: ResourceType, key: string): void;
  /** Answers of TokenReview by token; absent ones are refused. */
  readonly tokens: Map<string, TokenVerdict>;
  reviews: number;
  /** Writes that were accepted, as `create secrets a/b`. */
  readonly writes: string[];
  /** Thrown by the next write. */
  failNextWrite: Error | undefined;
}

interface Selected {
  readonly namespace?: string | undefined;
  readonly fieldSelector?: string | undefined;
}

interface Watcher {
  readonly plural: string;
  readonly selection: Selected;
  send(event: WatchEvent<KubernetesObject>): void;
}

export function createMemoryApi(): MemoryApi {
  const stores = new Map<string, Map<string, KubernetesObject>>();
  const watchers = new Set<Watcher>();
  let version = 0;
  const store = (type: ResourceType): Map<string, KubernetesObject> => {
    const found = stores.get(type.plural) ?? new Map<string, KubernetesObject>();
    stores.set(type.plural, found);
    return found;
  };
  const tell = (
    type: ResourceType,
    kind: "added" | "modified" | "deleted",
    object: KubernetesObject,
  ): void => {
    for (const watcher of watchers)
      if (watcher.plural === type.plural && selected(object, watcher.selection))
        watcher.send({ kind, object });
  };
  const put = (type: ResourceType, object: KubernetesObject, verb: string): KubernetesObject => {
    if (api.failNextWrite !== undefined) {
      const error = api.failNextWrite;
      api.failNextWrite = undefined;
      throw error;
    }
    const key = keyOf(object);
    const known = store(type).has(key);
    const metadata = { uid: `uid-${key}`, ...object.metadata, resourceVersion: String(++version) };
    const stored = Object.freeze(structuredClone({ ...object, metadata }));
    store(type).set(key, stored);
    api.writes.push(`${verb} ${type.plural} ${key}`);
    tell(type, known ? "modified" : "added", stored);
    return stored;
  };
  const api: MemoryApi = {
    tokens: new Map(),
    reviews: 0,
    writes: [],
    failNextWrite: undefined,
    get: (type, key) => store(type).get(key) as never,
    remove(type, key) {
      const object = store(type).get(key);
      store(type).delete(key);
      if (object !== undefined)
        tell(type, "deleted", {
          ...object,
          metadata: { ...object.metadata, resourceVersion: String(++version) },
        });
    },
    async list(type, options = {}) {
      const items = [...store(type).values()].filter((object) => selected(object, options));
      return { items: items as never[], resourceVersion: String(version) };
    },
    watch: (type, options) => watch(type, options, watchers) as never,
    async create(type, object) {
      const key = keyOf(object);
      if (store(type).has(key)) throw answer(409, "AlreadyExists", key);
      return put(type, object, "create") as never;
    },
    async replace(type, object) {
      const key = keyOf(object);
      const known = store(type).get(key);
      if (known === undefined) throw answer(404, "NotFound", key);
      const wanted = object.metadata?.resourceVersion;
      if (wanted !== undefined && wanted !== known.metadata?.resourceVersion)
        throw answer(409, "Conflict", key);
      return put(type, object, "replace") as never;
    },
    async patch(type, ref, patch) {
      const known = store(type).get(`${ref.namespace}/${ref.name}`);
      if (known === undefined) throw answer(404, "NotFound", ref.name);
      return put(type, merged(known, patch, ref), "patch") as never;
    },
    async reviewToken(token) {
      api.reviews++;
      return api.tokens.get(token) ?? { kind: "refused", reason: "unknown token" };
    },
  };
  return api;
}

async function* watch(
  type: ResourceType,
  options: Selected & { readonly signal?: AbortSignal | undefined },
  watchers: Set<Watcher>,
): AsyncGenerator<WatchEvent<KubernetesObject>, void, undefined> {
  const queue: WatchEvent<KubernetesObject>[] = [];
  let wake = Promise.withResolvers<void>();
  const watcher: Watcher = {
    plural: type.plural,
    selection: options,
    send(event) {
      queue.push(event);
      wake.resolve();
    },
  };
  const stop = (): void => wake.resolve();
  options.signal?.addEventListener("abort", stop, { once: true });
  watchers.add(watcher);
  try {
    while (options.signal?.aborted !== true) {
      const event = queue.shift();
      if (event !== undefined) {
        yield event;
        continue;
      }
      wake = Promise.withResolvers<void>();
      await wake.promise;
    }
  } finally {
    watchers.delete(watcher);
  }
}

function selected(object: KubernetesObject, selection: Selected): boolean {
  const { namespace, fieldSelector } = selection;
  if (namespace !== undefined && object.metadata?.namespace !== namespace) return false;
  return fieldSelector === undefined || fieldSelector === `metadata.name=${object.metadata?.name}`;
}

function merged(known: KubernetesObject, patch: Patch, ref: ObjectRef): KubernetesObject {
  if (patch.kind !== "merge") throw new TypeError(`patch ${ref.name}: only merge patches here`);
  const merge = (base: unknown, change: unknown): unknown => {
    if (typeof change !== "object" || change === null || Array.isArray(change)) return change;
    const fields = typeof base === "object" && base !== null ? (base as Record<string, unknown>) : {};
    const result: Record<string, unknown> = { ...fields };
    for (const [name, value] of Object.entries(change)) result[name] = merge(fields[name], value);
    return result;
  };
  return merge(known, patch.body) as KubernetesObject;
}

function answer(status: number, reason: string, key: string): MeshError {
  return new MeshError(status === 404 ? "NOT_FOUND" : "CONFLICT", `${key}: HTTP ${status} ${reason}`, {
    details: { status, reason },
  });
}
