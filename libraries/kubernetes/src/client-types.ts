/** What the API client offers. All calls take a signal and are bounded in time and size. */

import type { KubernetesObject, ObjectRef, ResourceType } from "./resource-type.ts";

export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
  /** Default 30 s, for the head of the answer and again for its body. */
  readonly timeoutMs?: number | undefined;
}

export interface ReadOptions extends CallOptions {
  readonly subresource?: Subresource | undefined;
}

export type Subresource = "status" | "scale" | "finalize" | "binding" | "eviction" | "ephemeralcontainers";

export interface WriteOptions extends CallOptions {
  readonly subresource?: Subresource | undefined;
  readonly fieldManager?: string | undefined;
  /** The server checks and answers but stores nothing. */
  readonly dryRun?: boolean | undefined;
}

export interface ApplyOptions extends WriteOptions {
  readonly fieldManager: string;
  /** Take fields over from other managers instead of failing with a conflict. */
  readonly force?: boolean | undefined;
}

export type Patch =
  | { readonly kind: "merge"; readonly body: unknown }
  | { readonly kind: "strategic"; readonly body: unknown }
  | { readonly kind: "json"; readonly operations: readonly JsonPatchOperation[] };

/** RFC 6902. */
export interface JsonPatchOperation {
  readonly op: "add" | "remove" | "replace" | "move" | "copy" | "test";
  readonly path: string;
  readonly from?: string;
  readonly value?: unknown;
}

export interface Selection {
  /** Absent: all namespaces. */
  readonly namespace?: string | undefined;
  /** `app=a,tier in (x,y)`. */
  readonly labelSelector?: string | undefined;
  readonly fieldSelector?: string | undefined;
}

export interface ListOptions extends CallOptions, Selection {
  /** Objects a page; all pages are fetched. Default 500, as kubectl. */
  readonly pageSize?: number | undefined;
}

export interface ObjectList<T> {
  readonly items: readonly T[];
  /** Where a watch of the same selection goes on. */
  readonly resourceVersion: string;
}

export interface WatchOptions extends Selection {
  readonly resourceVersion: string;
  /** The server ends the watch after this long; it may end it sooner. */
  readonly timeoutSeconds?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

export type WatchEvent<T> =
  | { readonly kind: "added" | "modified" | "deleted"; readonly object: T }
  | { readonly kind: "bookmark"; readonly resourceVersion: string };

export interface DeleteOptions extends CallOptions {
  readonly propagation?: "Background" | "Foreground" | "Orphan" | undefined;
  readonly gracePeriodSeconds?: number | undefined;
  readonly preconditions?: { readonly uid?: string; readonly resourceVersion?: string } | undefined;
}

export interface TokenRequest extends CallOptions {
  readonly audiences?: readonly string[] | undefined;
  readonly expirationSeconds?: number | undefined;
  /** The token dies with this object. */
  readonly boundTo?:
    | { readonly kind: "Pod" | "Secret"; readonly name: string; readonly uid?: string }
    | undefined;
}

export interface ServiceAccountToken {
  readonly token: string;
  /** Milliseconds since the epoch. */
  readonly expiresAtMs: number;
}

export type TokenVerdict =
  | {
      readonly kind: "authenticated";
      readonly username: string;
      readonly uid: string;
      readonly groups: readonly string[];
      readonly audiences: readonly string[];
      /** `authentication.kubernetes.io/pod-name`, `…/pod-uid`, `…/node-name`, … */
      readonly extra: ReadonlyMap<string, readonly string[]>;
    }
  | { readonly kind: "refused"; readonly reason: string };

export interface LogOptions {
  readonly container?: string | undefined;
  readonly follow?: boolean | undefined;
  readonly previous?: boolean | undefined;
  readonly tailLines?: number | undefined;
  readonly sinceSeconds?: number | undefined;
  readonly timestamps?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface RawRequest extends CallOptions {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** Path and query, as `/version` or `/api/v1/namespaces/default/pods/a:8080/proxy/`. */
  readonly path: string;
  readonly body?: string | undefined;
  readonly contentType?: string | undefined;
  readonly accept?: string | undefined;
}

export interface RawAnswer {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
}

/** Rejections are MeshErrors; `statusOf(error)` gives HTTP status and Kubernetes reason when the server answered. */
export interface KubernetesClient {
  /** Undefined when there is no such object. */
  get<T extends KubernetesObject>(
    type: ResourceType<T>,
    ref: ObjectRef,
    options?: ReadOptions,
  ): Promise<T | undefined>;
  list<T extends KubernetesObject>(type: ResourceType<T>, options?: ListOptions): Promise<ObjectList<T>>;
  /** Ends when the server ends it; rejects with status 410 when `resourceVersion` is too old (`isGone`). */
  watch<T extends KubernetesObject>(
    type: ResourceType<T>,
    options: WatchOptions,
  ): AsyncGenerator<WatchEvent<T>, void, undefined>;
  create<T extends KubernetesObject>(type: ResourceType<T>, object: T, options?: WriteOptions): Promise<T>;
  /** Fails with a conflict when the object's `resourceVersion` is given and not the newest. */
  replace<T extends KubernetesObject>(type: ResourceType<T>, object: T, options?: WriteOptions): Promise<T>;
  patch<T extends KubernetesObject>(
    type: ResourceType<T>,
    ref: ObjectRef,
    patch: Patch,
    options?: WriteOptions,
  ): Promise<T>;
  /** Server-side apply. `apiVersion` and `kind` are filled in. */
  apply<T extends KubernetesObject>(type: ResourceType<T>, object: T, options: ApplyOptions): Promise<T>;
  /** True when the deletion was accepted (finalizers may still hold the object), false when there was nothing to delete. */
  delete(type: ResourceType, ref: ObjectRef, options?: DeleteOptions): Promise<boolean>;
  createToken(serviceAccount: ObjectRef, request?: TokenRequest): Promise<ServiceAccountToken>;
  reviewToken(token: string, audiences: readonly string[], options?: CallOptions): Promise<TokenVerdict>;
  /** Bytes of a container's log, at the reader's pace. */
  logs(pod: ObjectRef, options?: LogOptions): AsyncGenerator<Uint8Array, void, undefined>;
  /** Any other call. An answer of any status is a result; only a missing answer is an error. */
  request(request: RawRequest): Promise<RawAnswer>;
  readonly defaultNamespace: string;
  /** Closes idle connections. Calls under way are ended by their signals. */
  close(): void;
}
