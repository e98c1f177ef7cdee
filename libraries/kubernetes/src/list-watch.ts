/** The two calls that an informer stands on: a list of all pages, and a watch from where it ended. */

import { MeshError } from "@meltemi/runtime";
import { streamBody } from "./body.ts";
import type { ListOptions, ObjectList, WatchEvent, WatchOptions } from "./client-types.ts";
import type { Exchange } from "./exchange.ts";
import { jsonLines } from "./json-lines.ts";
import { collectionPath, withQuery } from "./path.ts";
import { apiVersionOf, type KubernetesObject, type ListMeta, type ResourceType } from "./resource-type.ts";
import { parseStatus, statusError } from "./status-error.ts";

/** As kubectl: a page of this many stays far below the response bound. */
const PAGE_SIZE = 500;
/** 500 × 20 000 objects of one kind is past what Kubernetes supports; a server that pages forever is broken. */
const PAGE_LIMIT = 20_000;

/** Fetches every page. A page token that expired on the way (410) starts the list over, once, in one piece. */
export async function listAll<T extends KubernetesObject>(
  exchange: Exchange,
  type: ResourceType<T>,
  options: ListOptions,
): Promise<ObjectList<T>> {
  const { namespace, labelSelector, fieldSelector, signal, timeoutMs } = options;
  const limit = options.pageSize ?? PAGE_SIZE;
  const path = collectionPath(type, namespace);
  const action = `list ${type.plural}`;
  const items: T[] = [];
  let token: string | undefined;
  for (let page = 0; page < PAGE_LIMIT; page++) {
    const query = { labelSelector, fieldSelector, limit, continue: token };
    const body = await exchange.json({
      action,
      method: "GET",
      path: withQuery(path, query),
      signal,
      timeoutMs,
    });
    const parsed = parsePage<T>(body, type, action);
    items.push(...parsed.items);
    token = parsed.metadata.continue;
    if (token === undefined || token === "")
      return { items, resourceVersion: parsed.metadata.resourceVersion ?? "" };
  }
  throw new MeshError("LIMIT_EXCEEDED", `${action}: more than ${PAGE_LIMIT} pages`);
}

function parsePage<T extends KubernetesObject>(
  body: unknown,
  type: ResourceType<T>,
  action: string,
): { readonly items: readonly T[]; readonly metadata: ListMeta } {
  const { items, metadata } = body as { items?: unknown; metadata?: ListMeta };
  if ((!Array.isArray(items) && items !== null) || typeof metadata !== "object")
    throw new MeshError(
      "PROTOCOL_VIOLATION",
      `${action}: expected a ${type.kind}List with items and metadata`,
    );
  // Objects of a list carry neither field; everyone who reads one alone needs both.
  const named = { apiVersion: apiVersionOf(type), kind: type.kind };
  return { items: (items ?? []).map((item: T) => ({ ...named, ...item })), metadata };
}

/** Events after `resourceVersion`, bookmarks among them. */
export async function* watchStream<T extends KubernetesObject>(
  exchange: Exchange,
  type: ResourceType<T>,
  options: WatchOptions,
): AsyncGenerator<WatchEvent<T>, void, undefined> {
  const { namespace, signal, ...query } = options;
  const action = `watch ${type.plural}`;
  const path = withQuery(collectionPath(type, namespace), {
    ...query,
    watch: true,
    allowWatchBookmarks: true,
  });
  const answer = await exchange.stream({ action, method: "GET", path, signal });
  for await (const line of jsonLines(streamBody(answer, action, signal))) {
    yield parseWatchLine<T>(line, action);
  }
}

const KINDS: Readonly<Record<string, "added" | "modified" | "deleted">> = {
  ADDED: "added",
  MODIFIED: "modified",
  DELETED: "deleted",
};

/** Throws a status error for an ERROR event, PROTOCOL_VIOLATION for what is not an event. */
export function parseWatchLine<T extends KubernetesObject>(line: unknown, action: string): WatchEvent<T> {
  const { type, object } = (line ?? {}) as { type?: unknown; object?: unknown };
  if (typeof type !== "string" || typeof object !== "object" || object === null)
    throw new MeshError("PROTOCOL_VIOLATION", `${action}: a line is not a watch event`);
  if (type === "ERROR") throw statusError(action, parseStatus(500, object));
  const metadata = (object as T).metadata;
  const resourceVersion = metadata?.resourceVersion;
  if (typeof resourceVersion !== "string")
    throw new MeshError("PROTOCOL_VIOLATION", `${action}: an event has no metadata.resourceVersion`);
  if (type === "BOOKMARK") return { kind: "bookmark", resourceVersion };
  const kind = Object.hasOwn(KINDS, type) ? KINDS[type] : undefined;
  if (kind === undefined || typeof metadata?.name !== "string")
    throw new MeshError(
      "PROTOCOL_VIOLATION",
      `${action}: expected a named object ADDED, MODIFIED or DELETED`,
    );
  return { kind, object: object as T };
}
