import { createHearing } from "./admission/hearing.ts";
import { send, warningHeaders } from "./http/respond.ts";
import { serveLogs } from "./pod-logs.ts";
import { listQuestion, watchQuestion } from "./read/questions.ts";
import { methodNotAllowed, noSuchPath } from "./refusal.ts";
import type { Served } from "./registry.ts";
import { renderList } from "./render.ts";
import { resourceKey, type Subresource } from "./resources/resource.ts";
import { answerOne } from "./serve-one.ts";
import {
  type ResourceExchange,
  type ResourceTarget,
  type ServeDeps,
  type Verb,
  viewOf,
} from "./serve-types.ts";
import { type WriteRequest, writeOptions } from "./write/context.ts";
import { storedObject } from "./write/update.ts";

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
    hearing: createHearing(deps.stages),
  };
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
