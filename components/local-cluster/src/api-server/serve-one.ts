import { hearSubresource } from "./admission/hear.ts";
import type { KindName } from "./admission/match.ts";
import { mediaType, parseBody, readBody } from "./http/body.ts";
import { type Answer, jsonAnswer } from "./http/respond.ts";
import { type Json, textAt } from "./json.ts";
import { nameOf, uidOf } from "./kube-object.ts";
import { fieldSelection } from "./read/questions.ts";
import { methodNotAllowed } from "./refusal.ts";
import { inVersion, renderList, renderOne } from "./render.ts";
import { issueToken } from "./reviews.ts";
import type { ResourceExchange, ServeDeps } from "./serve-types.ts";
import { viewOf } from "./serve-types.ts";
import type { Outcome, WriteRequest } from "./write/context.ts";
import { createObject } from "./write/create.ts";
import { decodeObject } from "./write/decode.ts";
import { patchObject, refusePatch } from "./write/patch.ts";
import { bindPod, evictPod } from "./write/pod-subresources.ts";
import { deleteObject, parseDeleteOptions } from "./write/remove.ts";
import { patchScale, readScale, replaceScale } from "./write/scale.ts";
import { storedObject, updateObject } from "./write/update.ts";

export async function answerOne(
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
    case "patch":
      refusePatch(request, mediaType(exchange.request.headers["content-type"]), exchange.url.searchParams);
      return write(deps, exchange, request, await bodyOf(exchange));
    default:
      return write(deps, exchange, request, await bodyOf(exchange));
  }
}

async function write(
  deps: ServeDeps,
  exchange: ResourceExchange,
  request: WriteRequest,
  body: Json,
): Promise<Answer> {
  switch (exchange.verb) {
    case "create":
      return settled(request, () => create(deps, exchange, request, body));
    case "update":
      return settled(request, () => replace(deps, exchange, request, body));
    case "patch":
      return settled(request, () => patch(deps, exchange, request, body));
    case "delete":
      return settled(request, () => remove(deps, exchange, request, body));
    default:
      return removeCollection(deps, exchange, request, body);
  }
}

/** Writes in one go, once its admission webhooks were asked. */
async function settled<T>({ hearing }: WriteRequest, attempt: () => T): Promise<T> {
  return hearing === undefined ? attempt() : hearing.settle(attempt);
}

async function bodyOf(exchange: ResourceExchange): Promise<Json> {
  const body = await readBody(exchange.request);
  // A DELETE comes with options or with nothing.
  if (body.length === 0) return {};
  return parseBody(body, mediaType(exchange.request.headers["content-type"]));
}

const TOKEN_REQUEST: KindName = { group: "authentication.k8s.io", version: "v1", kind: "TokenRequest" };

function create(deps: ServeDeps, exchange: ResourceExchange, request: WriteRequest, body: Json): Answer {
  const { cluster } = deps;
  switch (request.subresource) {
    case "token": {
      const { object: account } = storedObject(cluster, request);
      const asked = hearSubresource(request, TOKEN_REQUEST, "CREATE", body, undefined);
      return jsonAnswer(201, issueToken(deps.reviews, account, request.namespace ?? "", asked));
    }
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

function patch(deps: ServeDeps, exchange: ResourceExchange, request: WriteRequest, body: Json): Answer {
  const { cluster } = deps;
  const type = mediaType(exchange.request.headers["content-type"]);
  if (request.subresource === "scale") return jsonAnswer(200, patchScale(cluster, request, type, body));
  return outcomeAnswer(deps, exchange, request, patchObject(cluster, request, type, body));
}

function replace(deps: ServeDeps, exchange: ResourceExchange, request: WriteRequest, body: Json): Answer {
  const { cluster } = deps;
  if (request.subresource === "scale") return jsonAnswer(200, replaceScale(cluster, request, body));
  if (request.name === undefined) throw methodNotAllowed("PUT");
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

async function removeCollection(
  deps: ServeDeps,
  exchange: ResourceExchange,
  request: WriteRequest,
  body: Json,
): Promise<Answer> {
  if (exchange.target.name !== undefined || exchange.request.method !== "DELETE")
    throw methodNotAllowed(exchange.request.method ?? "");
  const { searchParams } = exchange.url;
  const { store } = deps.cluster;
  const options = parseDeleteOptions(body, searchParams);
  const selection = fieldSelection(request.served, searchParams);
  const chosen = store
    .list(request.key, request.namespace)
    .filter((stored) => selection === undefined || selection(stored.object));
  for (const { namespace, name } of chosen) {
    deps.refuseDelete(request, name);
    const one = { ...request, namespace, name };
    await settled(one, () => {
      // While webhooks were asked about the others, somebody else may have removed it.
      const stored = store.get(request.key, namespace, name);
      if (stored !== undefined) deleteObject(deps.cluster, one, stored, options);
    });
  }
  const metadata = { resourceVersion: String(store.revision()) };
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
