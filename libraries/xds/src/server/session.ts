/** One delta stream as the server sees it: who it is, and its watch of each type. Sans-IO (reference: protocol §3.8). */

import type { discovery } from "@meltemi/wire";
import { nodeKey } from "./encoded.ts";
import type { ResourceLog } from "./resource-log.ts";
import {
  type Answer,
  createWatch,
  MAX_NAME_LENGTH,
  MAX_WATCHED_NAMES,
  type Next,
  type Watch,
} from "./watch.ts";

/** The node that a stream speaks for, by its first request. */
export interface SessionNode {
  readonly id: string;
  /** Node metadata `NODE_NAME`, or empty. */
  readonly nodeName: string;
  /** Node metadata `NAMESPACE`, or empty. */
  readonly namespace: string;
  /** Node metadata `SERVICE_ACCOUNT`, or empty. */
  readonly serviceAccount: string;
  /** Node metadata `CLUSTER_ID`, or empty. */
  readonly clusterId: string;
  /** Node metadata `ISTIO_VERSION`, or empty. */
  readonly version: string;
}

export type Received =
  | { readonly kind: "handled"; readonly typeUrl: string; readonly answer: Answer; readonly first: boolean }
  /** A type that is not served: nothing is kept of it. */
  | { readonly kind: "ignored"; readonly typeUrl: string }
  | {
      readonly kind: "refused";
      readonly code: "INVALID_ARGUMENT" | "RESOURCE_EXHAUSTED";
      readonly message: string;
    };

export interface DeltaSession {
  /** Known after the first request. */
  readonly node: SessionNode | undefined;
  receive(request: discovery.DeltaDiscoveryRequest): Received;
  /** The next response of the log's type; `nothing` while the client owes an answer. */
  next(log: ResourceLog, holdRemovals?: boolean): Next;
  watch(typeUrl: string): Watch | undefined;
}

/** `servedTypes`: types for which a log exists. */
export function createDeltaSession(servedTypes: ReadonlySet<string>): DeltaSession {
  const watches = new Map<string, Watch>();
  let node: SessionNode | undefined;

  return {
    get node() {
      return node;
    },
    receive(request) {
      node ??= readNode(request.node);
      if (node === undefined)
        return {
          kind: "refused",
          code: "INVALID_ARGUMENT",
          message: "open delta stream: expected a node with an id in the first request, got none",
        };
      const { typeUrl } = request;
      if (!servedTypes.has(typeUrl)) return { kind: "ignored", typeUrl };
      const fault = faultOfNames(request, watches.get(typeUrl));
      if (fault !== undefined) return fault;
      const watch = watches.get(typeUrl);
      if (watch !== undefined)
        return { kind: "handled", typeUrl, answer: watch.update(request), first: false };
      const implicitKeys = node.nodeName === "" ? [] : [nodeKey(node.nodeName)];
      watches.set(typeUrl, createWatch(request, implicitKeys));
      return { kind: "handled", typeUrl, answer: { kind: "none" }, first: true };
    },
    next: (log, holdRemovals) => watches.get(log.typeUrl)?.next(log, holdRemovals) ?? { kind: "nothing" },
    watch: (typeUrl) => watches.get(typeUrl),
  };
}

function faultOfNames(
  request: discovery.DeltaDiscoveryRequest,
  watch: Watch | undefined,
): Received | undefined {
  const known = watch?.status.nameCount ?? 0;
  if (known + request.resourceNamesSubscribe.length > MAX_WATCHED_NAMES)
    return {
      kind: "refused",
      code: "RESOURCE_EXHAUSTED",
      message: `subscribe to ${request.resourceNamesSubscribe.length} names: at most ${MAX_WATCHED_NAMES} per stream`,
    };
  const long = request.resourceNamesSubscribe.find((name) => name.length > MAX_NAME_LENGTH);
  if (long === undefined) return undefined;
  return {
    kind: "refused",
    code: "INVALID_ARGUMENT",
    message: `subscribe to a name of ${long.length} characters: expected at most ${MAX_NAME_LENGTH}`,
  };
}

function readNode(node: discovery.Node | undefined): SessionNode | undefined {
  if (node === undefined || node.id === "" || node.id.length > MAX_NAME_LENGTH) return undefined;
  const text = (key: string): string => {
    const value = node.metadata?.[key];
    return typeof value === "string" && value.length <= MAX_NAME_LENGTH ? value : "";
  };
  return {
    id: node.id,
    nodeName: text("NODE_NAME"),
    namespace: text("NAMESPACE"),
    serviceAccount: text("SERVICE_ACCOUNT"),
    clusterId: text("CLUSTER_ID"),
    version: text("ISTIO_VERSION"),
  };
}
