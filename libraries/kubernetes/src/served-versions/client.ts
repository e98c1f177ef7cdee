/** A client for servers that serve other versions of some kinds: callers name and get the preferred version, whatever is on the wire. */

import { MeshError } from "@meltemi/runtime";
import type { KubernetesClient, WatchEvent } from "../client-types.ts";
import {
  apiVersionOf,
  type CustomObject,
  type KubernetesObject,
  type ResourceType,
} from "../resource-type.ts";
import { isNotFound, statusError, statusOf } from "../status-error.ts";
import { type Alternative, alternativesOf, servesKind } from "./alternatives.ts";

/** Kubernetes has no such reason: an answer of ours to a call of a kind that the server has in no version that we know. */
const NOT_SERVED = "NotServed";

/** The server serves no version of the kind (as opposed to: there is no such object). Of clients made here only. */
export function isNotServed(error: unknown): boolean {
  return statusOf(error)?.reason === NOT_SERVED;
}

/**
 * Every list chooses anew: the preferred version, and after a 404 the first alternative that discovery names. Other calls keep to
 * that choice, or ask discovery when nothing was listed yet. So an API that comes with an upgrade is found by the next list, and a
 * server of today costs nothing. Kinds without alternatives go through unchanged.
 */
export function withServedVersions(client: KubernetesClient): KubernetesClient {
  const versions = new ServedVersions(client);
  return {
    ...client,
    list: (type, options) => versions.list(type, options),
    watch: (type, options) => versions.watch(type, options),
    async get(type, ref, options) {
      const found = await versions.choose(type, `get ${type.plural}`);
      const object = await client.get(served(type, found), ref, options);
      return object && preferred(type, found, object);
    },
    async create(type, object, options) {
      const found = await versions.choose(type, `create ${type.plural}`);
      return preferred(
        type,
        found,
        await client.create(served(type, found), sent(type, found, object), options),
      );
    },
    async replace(type, object, options) {
      const found = await versions.choose(type, `replace ${type.plural}`);
      return preferred(
        type,
        found,
        await client.replace(served(type, found), sent(type, found, object), options),
      );
    },
    async patch(type, ref, patch, options) {
      const found = await versions.choose(type, `patch ${type.plural}`);
      return preferred(type, found, await client.patch(served(type, found), ref, patch, options));
    },
    async apply(type, object, options) {
      const found = await versions.choose(type, `apply ${type.plural}`);
      return preferred(
        type,
        found,
        await client.apply(served(type, found), sent(type, found, object), options),
      );
    },
    async delete(type, ref, options) {
      const found = await versions.choose(type, `delete ${type.plural}`);
      return await client.delete(served(type, found), ref, options);
    },
  };
}

class ServedVersions {
  readonly #client: KubernetesClient;
  /** By kind, what the last list or discovery found; at most as many as there are kinds with alternatives. */
  readonly #chosen = new Map<string, Alternative>();

  constructor(client: KubernetesClient) {
    this.#client = client;
  }

  list: KubernetesClient["list"] = async (type, options) => {
    if (alternativesOf(type).length === 0) return await this.#client.list(type, options);
    try {
      const found = await this.#client.list(type, options);
      this.#chosen.set(keyOf(type), { version: type.version });
      return found;
    } catch (error) {
      if (!isNotFound(error)) throw error;
      this.#chosen.delete(keyOf(type));
      const alternative = await this.#discover(type, alternativesOf(type));
      if (alternative === undefined) throw error;
      const { items, resourceVersion } = await this.#client.list(served(type, alternative), options);
      this.#chosen.set(keyOf(type), alternative);
      return { items: items.map((item) => preferred(type, alternative, item)), resourceVersion };
    }
  };

  async *watch<T extends KubernetesObject>(
    type: ResourceType<T>,
    options: Parameters<KubernetesClient["watch"]>[1],
  ): AsyncGenerator<WatchEvent<T>, void, undefined> {
    const alternative = this.#chosen.get(keyOf(type));
    try {
      for await (const event of this.#client.watch(served(type, alternative), options))
        yield event.kind === "bookmark"
          ? event
          : { ...event, object: preferred(type, alternative, event.object) };
    } catch (error) {
      // An upgrade took the version away; versions of a resource have its resourceVersion in common.
      if (isNotFound(error)) this.#chosen.delete(keyOf(type));
      throw error;
    }
  }

  async choose(type: ResourceType, action: string): Promise<Alternative | undefined> {
    const alternatives = alternativesOf(type);
    if (alternatives.length === 0) return undefined;
    const known = this.#chosen.get(keyOf(type));
    if (known !== undefined) return known;
    const candidates = [{ version: type.version }, ...alternatives];
    const found = await this.#discover(type, candidates);
    if (found === undefined) {
      const names = candidates.map(({ version }) => apiVersionOf({ ...type, version })).join(", ");
      const message = `expected the server to serve one of ${names}, got none`;
      throw statusError(action, { code: 404, reason: NOT_SERVED, message });
    }
    this.#chosen.set(keyOf(type), found);
    return found;
  }

  async #discover(type: ResourceType, candidates: readonly Alternative[]): Promise<Alternative | undefined> {
    for (const candidate of candidates) {
      const path = `/apis/${apiVersionOf({ ...type, version: candidate.version })}`;
      const { status, body } = await this.#client.request({ method: "GET", path });
      if (status === 404) continue;
      if (status !== 200) throw statusError(`discover ${path}`, { code: status, reason: "", message: "" });
      if (servesKind(parseJson(body, path), type)) return candidate;
    }
    return undefined;
  }
}

function keyOf({ group, plural }: ResourceType): string {
  return `${group}/${plural}`;
}

function served<T extends KubernetesObject>(
  type: ResourceType<T>,
  found: Alternative | undefined,
): ResourceType<T> {
  return found === undefined ? type : { ...type, version: found.version };
}

/** As it goes out: the version of the path is the version of the object. */
function sent<T extends KubernetesObject>(
  type: ResourceType<T>,
  found: Alternative | undefined,
  object: T,
): T {
  return found === undefined ? object : { ...object, apiVersion: apiVersionOf(served(type, found)) };
}

function preferred<T extends KubernetesObject>(
  type: ResourceType<T>,
  found: Alternative | undefined,
  object: T,
): T {
  if (found === undefined || found.version === type.version) return object;
  const converted = (found.toPreferred?.(object as CustomObject) ?? object) as T;
  return { ...converted, apiVersion: apiVersionOf(type) };
}

function parseJson(text: string, path: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new MeshError("PROTOCOL_VIOLATION", `discover ${path}: the answer is not JSON`, { cause });
  }
}
