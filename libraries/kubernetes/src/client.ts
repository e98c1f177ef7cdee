/** The Kubernetes API client. No cache, no discovery: kinds are named by {@link ResourceType}. */

import type { Clock } from "@meltemi/runtime";
import type { ClusterAccess } from "./access.ts";
import { readBody, streamBody } from "./body.ts";
import type { DeleteOptions, KubernetesClient, LogOptions, Patch, WriteOptions } from "./client-types.ts";
import { createExchange, type Exchange, REQUEST_TIMEOUT_MS, RESPONSE_LIMIT_BYTES } from "./exchange.ts";
import { PODS } from "./kinds.ts";
import { listAll, watchStream } from "./list-watch.ts";
import { collectionPath, objectPath, withQuery } from "./path.ts";
import {
  apiVersionOf,
  type KubernetesObject,
  keyOf,
  keyOfRef,
  type ResourceType,
  refOf,
} from "./resource-type.ts";
import { isNotFound } from "./status-error.ts";
import { createToken, reviewToken } from "./tokens.ts";
import { createTransport, pathOnly, type Transport } from "./transport.ts";

/** Builds a client; nothing is sent before the first call. Throws CONFIG_INVALID for a server that is neither https nor loopback. */
export function createKubernetesClient(
  access: ClusterAccess,
  deps: { readonly clock: Clock },
): KubernetesClient {
  const transport = createTransport(access, deps);
  const exchange = createExchange(transport, { clock: deps.clock, timeoutMs: access.requestTimeoutMs });
  return {
    ...objectCalls(exchange),
    list: (type, options = {}) => listAll(exchange, type, options),
    watch: (type, options) => watchStream(exchange, type, options),
    createToken: (serviceAccount, request = {}) => createToken(exchange, serviceAccount, request),
    reviewToken: (token, audiences, options = {}) => reviewToken(exchange, token, audiences, options),
    logs: (pod, options = {}) => logs(exchange, pod, options),
    request: (request) => rawRequest(transport, request, deps.clock),
    defaultNamespace: access.defaultNamespace,
    close: () => transport.close(),
  };
}

type ObjectCalls = Pick<KubernetesClient, "get" | "create" | "replace" | "patch" | "apply" | "delete">;

function objectCalls(exchange: Exchange): ObjectCalls {
  // The server is trusted to answer with the kind that was asked for; what is inside is parsed by who reads it.
  const json = async <T>(call: Parameters<Exchange["json"]>[0]): Promise<T> =>
    (await exchange.json(call)) as T;
  return {
    async get(type, ref, options = {}) {
      const path = objectPath(type, ref, options.subresource);
      try {
        return await json({ action: `get ${type.plural} ${keyOfRef(ref)}`, method: "GET", path, ...options });
      } catch (error) {
        if (isNotFound(error)) return undefined;
        throw error;
      }
    },
    create(type, object, options = {}) {
      const ref = refOf(object);
      const path =
        options.subresource === undefined
          ? collectionPath(type, ref.namespace)
          : objectPath(type, ref, options.subresource);
      const action = `create ${type.plural} ${keyOf(object)}`;
      return json({ ...write(action, path, options), method: "POST", body: typed(type, object) });
    },
    replace(type, object, options = {}) {
      const path = objectPath(type, refOf(object), options.subresource);
      const action = `replace ${type.plural} ${keyOf(object)}`;
      return json({ ...write(action, path, options), method: "PUT", body: typed(type, object) });
    },
    patch(type, ref, patch, options = {}) {
      const path = objectPath(type, ref, options.subresource);
      const action = `patch ${type.plural} ${keyOfRef(ref)}`;
      return json({ ...write(action, path, options), method: "PATCH", ...patchBody(patch) });
    },
    apply(type, object, options) {
      const path = withQuery(objectPath(type, refOf(object), options.subresource), { force: options.force });
      const action = `apply ${type.plural} ${keyOf(object)}`;
      const contentType = "application/apply-patch+yaml";
      return json({
        ...write(action, path, options),
        method: "PATCH",
        contentType,
        body: typed(type, object),
      });
    },
    async delete(type, ref, options = {}) {
      const action = `delete ${type.plural} ${keyOfRef(ref)}`;
      const { signal, timeoutMs } = options;
      const body = deleteBody(options);
      try {
        await json({ action, method: "DELETE", path: objectPath(type, ref), body, signal, timeoutMs });
        return true;
      } catch (error) {
        if (isNotFound(error)) return false;
        throw error;
      }
    },
  };
}

/** Objects inside a list come without apiVersion and kind; the server wants both on a write. */
function typed(type: ResourceType, object: KubernetesObject): KubernetesObject {
  return { apiVersion: apiVersionOf(type), kind: type.kind, ...object };
}

function write(action: string, path: string, options: WriteOptions) {
  const query = { fieldManager: options.fieldManager, dryRun: options.dryRun ? "All" : undefined };
  const separator = path.includes("?") ? "&" : "?";
  const text = withQuery("", query).slice(1);
  return {
    action,
    path: text === "" ? path : `${path}${separator}${text}`,
    signal: options.signal,
    timeoutMs: options.timeoutMs,
  };
}

function patchBody(patch: Patch): { readonly contentType: string; readonly body: unknown } {
  if (patch.kind === "json") return { contentType: "application/json-patch+json", body: patch.operations };
  return {
    contentType:
      patch.kind === "merge" ? "application/merge-patch+json" : "application/strategic-merge-patch+json",
    body: patch.body,
  };
}

function deleteBody(options: DeleteOptions): Readonly<Record<string, unknown>> {
  return {
    apiVersion: "v1",
    kind: "DeleteOptions",
    ...(options.propagation === undefined ? {} : { propagationPolicy: options.propagation }),
    ...(options.gracePeriodSeconds === undefined ? {} : { gracePeriodSeconds: options.gracePeriodSeconds }),
    ...(options.preconditions === undefined ? {} : { preconditions: options.preconditions }),
  };
}

async function* logs(
  exchange: Exchange,
  pod: Parameters<KubernetesClient["logs"]>[0],
  options: LogOptions,
): AsyncGenerator<Uint8Array, void, undefined> {
  const action = `logs of pod ${keyOfRef(pod)}`;
  const { signal, ...query } = options;
  const path = withQuery(objectPath(PODS, pod, "log"), query);
  const answer = await exchange.stream({ action, method: "GET", path, accept: "*/*", signal });
  yield* streamBody(answer, action, signal);
}

async function rawRequest(
  transport: Transport,
  request: Parameters<KubernetesClient["request"]>[0],
  clock: Clock,
): ReturnType<KubernetesClient["request"]> {
  const timeoutMs = request.timeoutMs ?? REQUEST_TIMEOUT_MS;
  const answer = await transport.send({ ...request, timeoutMs });
  const what = `${request.method} ${pathOnly(request.path)}`;
  const bounds = { limitBytes: RESPONSE_LIMIT_BYTES, timeoutMs, signal: request.signal };
  const body = await readBody(answer, what, bounds, clock);
  return { status: answer.statusCode ?? 0, contentType: answer.headers["content-type"] ?? "", body };
}
