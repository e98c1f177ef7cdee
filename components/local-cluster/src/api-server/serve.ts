/** Requests on stored resources: each verb to the code that reads or writes. */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Clock } from "@meltemi/runtime";
import { formOf } from "./http/accept.ts";
import { mediaType, parseBody, readBody } from "./http/body.ts";
import { type Answer, jsonAnswer, send, warningHeaders } from "./http/respond.ts";
import type { Target } from "./http/target.ts";
import type { UserInfo } from "./identity/user.ts";
import { type Json, textAt } from "./json.ts";
import { nameOf, uidOf } from "./kube-object.ts";
import { type ServeLogs, serveLogs } from "./pod-logs.ts";
import type { Lister } from "./read/list.ts";
import { fieldSelection, listQuestion, watchQuestion } from "./read/questions.ts";
import type { Watches } from "./read/watch.ts";
import { methodNotAllowed, noSuchPath, Refusal } from "./refusal.ts";
import type { Served } from "./registry.ts";
import { inVersion, renderList, renderOne, type View } from "./render.ts";
import { resourceKey, type Subresource } from "./resources/resource.ts";
import { issueToken, type ReviewDeps } from "./reviews.ts";
import { type Cluster, type Outcome, type WriteRequest, writeOptions } from "./write/context.ts";
import { createObject } from "./write/create.ts";
import { decodeObject } from "./write/decode.ts";
import { patchObject } from "./write/patch.ts";
import { bindPod, evictPod } from "./write/pod-subresources.ts";
import { deleteObject, parseDeleteOptions } from "./write/remove.ts";
import { patchScale, readScale, replaceScale } from "./write/scale.ts";
import { storedObject, updateObject } from "./write/update.ts";

export type ResourceTarget = Extract<Target, { kind: "resource" }>;

export type Verb = "get" | "list" | "watch" | "create" | "update" | "patch" | "delete" | "deletecollection";

export interface ResourceExchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly url: URL;
  readonly user: UserInfo;
  readonly verb: Verb;
  readonly target: ResourceTarget;
}

export interface ServeDeps {
  readonly cluster: Cluster;
  readonly list: Lister;
  readonly watches: Watches;
  readonly reviews: ReviewDeps;
  readonly logs: ServeLogs;
  readonly clock: Clock;
  /** Refuses what the cluster cannot lose. */
  readonly refuseDelete: (request: WriteRequest, name: string) => void;
}

/** @throws Refusal 405 */
export function verbOf(method: string, target: ResourceTarget, query: URLSearchParams): Verb {
  const one = target.name !== undefined;
  switch (method) {
    case "GET":
      if (one) return "get";
      return query.get("watch") === "true" || query.get("watch") === "1" ? "watch" : "list";
    case "POST":
      return "create";
    case "PUT":
      return "update";
    case "PATCH":
      return "patch";
    case "DELETE":
      return one ? "delete" : "deletecollection";
    default:
      throw methodNotAllowed(method);
  }
}

export async function serveResource(
  deps: ServeDeps,
  exchange: ResourceExchange,
  served: Served,
): Promise<void> {
  const { target, verb } = exchange;
  if (target.namespace !== undefined && !served.resource.namespaced) throw noSuchPath();
  if (target.name !== undefined && served.resource.namespaced && target.namespace === undefined)
    throw noSuchPath();
  const subresource = subresourceOf(target, served);
  if (verb === "list" || verb === "watch") {
    serveMany(deps, exchange, served);
    return;
  }
  if (subresource === "log") {
    await serveLogs(
      deps.logs,
      storedObject(deps.cluster, writeRequest(deps, exchange, served, subresource)),
      exchange,
    );
    return;
  }
  const request = writeRequest(deps, exchange, served, subresource);
  const answer = await answerOne(deps, exchange, request);
  send(exchange.response, {
    ...answer,
    headers: { ...answer.headers, ...warningHeaders(request.warnings) },
  });
}

function subresourceOf(target: ResourceTarget, served: Served): Subresource | undefined {
  if (target.subresource === undefined) return undefined;
  const found = served.version.subresources.find((name) => name === target.subresource);
  if (found === undefined) throw noSuchPath();
  return found;
}

function writeRequest(
  deps: ServeDeps,
  exchange: ResourceExchange,
  served: Served,
  subresource: Subresource | undefined,
): WriteRequest {
  const { target, url, request, user } = exchange;
  const { deprecationWarning } = served.version;
  return {
    served,
    key: resourceKey(served.resource),
    namespace: target.namespace,
    name: target.name,
    subresource,
    options: writeOptions(url.searchParams, request.headers["user-agent"] ?? ""),
    user,
    nowMs: deps.clock.nowMs(),
    warnings: deprecationWarning === undefined ? [] : [deprecationWarning],
  };
}

function viewOf(deps: ServeDeps, exchange: ResourceExchange, served: Served): View {
  const form = formOf(exchange.request.headers.accept);
  if (form.kind === "unsupported") {
    const message =
      "only the following media types are accepted: application/json, application/json;as=Table;v=v1;g=meta.k8s.io";
    throw new Refusal(406, "NotAcceptable", message);
  }
  const include = exchange.url.searchParams.get("includeObject");
  const includeObject = include === "None" || include === "Object" ? include : "Metadata";
  return { served, form, includeObject, nowMs: () => deps.clock.nowMs() };
}

function serveMany(deps: ServeDeps, exchange: ResourceExchange, served: Served): void {
  const { url, target, response } = exchange;
  const view = viewOf(deps, exchange, served);
  if (exchange.verb === "watch") {
    deps.watches.serve(watchQuestion(served, target.namespace, url.searchParams), view, response);
    return;
  }
  const page = deps.list(listQuestion(served, target.namespace, url.searchParams));
  const { deprecationWarning } = served.version;
  send(response, {
    code: 200,
    contentType: "application/json",
    body: `${renderList(view, page.items, page.metadata)}\n`,
    headers: warningHeaders(deprecationWarning === undefined ? [] : [deprecationWarning]),
  });
}

async function answerOne(
  deps: ServeDeps,
  exchange: ResourceExchange,
  request: WriteRequest,
): Promise<Answer> {
  const { cluster } = deps;
  switch (exchange.verb) {
    case "get": {
      const stored = storedObject(cluster, request);
      if (request.subresource === "scale") return jsonAnswer(200, readScale(request, stored));
      const view = viewOf(deps, exchange, request.served);
      return { code: 200, contentType: "application/json", body: `${renderOne(view, stored)}\n` };
    }
    case "create":
      return create(deps, exchange, request, await bodyOf(exchange));
    case "update": {
      const body = await bodyOf(exchange);
      if (request.subresource === "scale") return jsonAnswer(200, replaceScale(cluster, request, body));
      return replace(deps, exchange, request, body);
    }
    case "patch": {
      const type = mediaType(exchange.request.headers["content-type"]);
      const body = await bodyOf(exchange);
      if (request.subresource === "scale") return jsonAnswer(200, patchScale(cluster, request, type, body));
      return outcomeAnswer(deps, exchange, request, patchObject(cluster, request, type, body));
    }
    case "delete":
      return remove(deps, exchange, request, await bodyOf(exchange));
    default:
      return removeCollection(deps, exchange, request, await bodyOf(exchange));
  }
}

async function bodyOf(exchange: ResourceExchange): Promise<Json> {
  const body = await readBody(exchange.request);
  // A DELETE comes with options or with nothing.
  if (body.length === 0) return {};
  return parseBody(body, mediaType(exchange.request.headers["content-type"]));
}

function create(deps: ServeDeps, exchange: ResourceExchange, request: WriteRequest, body: Json): Answer {
  const { cluster } = deps;
  switch (request.subresource) {
    case "token":
      return jsonAnswer(
        201,
        issueToken(deps.reviews, storedObject(cluster, request).object, request.namespace ?? "", body),
      );
    case "eviction":
      return jsonAnswer(201, evictPod(cluster, request, body));
    case "binding":
      return jsonAnswer(201, bindPod(cluster, request, body));
    case undefined:
      if (request.name !== undefined) throw methodNotAllowed("POST");
      return outcomeAnswer(
        deps,
        exchange,
        request,
        createObject(cluster, request, decodeObject(request, body)),
      );
    default:
      throw methodNotAllowed("POST");
  }
}

function replace(deps: ServeDeps, exchange: ResourceExchange, request: WriteRequest, body: Json): Answer {
  if (request.name === undefined) throw methodNotAllowed("PUT");
  const { cluster } = deps;
  const decoded = decodeObject(request, body);
  return outcomeAnswer(
    deps,
    exchange,
    request,
    updateObject(cluster, request, storedObject(cluster, request), decoded),
  );
}

function remove(deps: ServeDeps, exchange: ResourceExchange, request: WriteRequest, body: Json): Answer {
  if (request.subresource !== undefined) throw methodNotAllowed("DELETE");
  const stored = storedObject(deps.cluster, request);
  deps.refuseDelete(request, stored.name);
  const outcome = deleteObject(
    deps.cluster,
    request,
    stored,
    parseDeleteOptions(body, exchange.url.searchParams),
  );
  if (!outcome.removed) return outcomeAnswer(deps, exchange, request, outcome);
  if (request.key === "/pods") return outcomeAnswer(deps, exchange, request, outcome);
  const { group, plural } = request.served.resource;
  return jsonAnswer(200, {
    kind: "Status",
    apiVersion: "v1",
    metadata: {},
    status: "Success",
    details: {
      name: nameOf(outcome.object),
      ...(group === "" ? {} : { group }),
      kind: plural,
      uid: uidOf(outcome.object),
    },
  });
}

function removeCollection(
  deps: ServeDeps,
  exchange: ResourceExchange,
  request: WriteRequest,
  body: Json,
): Answer {
  if (exchange.target.name !== undefined || exchange.request.method !== "DELETE")
    throw methodNotAllowed(exchange.request.method ?? "");
  const { searchParams } = exchange.url;
  const options = parseDeleteOptions(body, searchParams);
  const selection = fieldSelection(request.served, searchParams);
  const chosen = deps.cluster.store
    .list(request.key, request.namespace)
    .filter((stored) => selection === undefined || selection(stored.object));
  for (const stored of chosen) {
    deps.refuseDelete(request, stored.name);
    deleteObject(
      deps.cluster,
      { ...request, namespace: stored.namespace, name: stored.name },
      stored,
      options,
    );
  }
  const metadata = { resourceVersion: String(deps.cluster.store.revision()) };
  const view = viewOf(deps, exchange, request.served);
  return { code: 200, contentType: "application/json", body: renderList(view, chosen, metadata) };
}

function outcomeAnswer(
  deps: ServeDeps,
  exchange: ResourceExchange,
  request: WriteRequest,
  outcome: Outcome,
): Answer {
  const view = viewOf(deps, exchange, request.served);
  if (view.form.kind === "object") return jsonAnswer(outcome.code, inVersion(request.served, outcome.object));
  const stored = {
    resource: request.key,
    namespace: request.namespace ?? "",
    name: nameOf(outcome.object),
    revision: Number(textAt(outcome.object, "metadata", "resourceVersion") ?? 0),
    object: outcome.object,
    text: "",
  };
  return { code: outcome.code, contentType: "application/json", body: renderOne(view, stored) };
}
