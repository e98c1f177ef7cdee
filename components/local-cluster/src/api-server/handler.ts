/** From an HTTP request to its answer: who asks, what is named, may they, and who does it. */
import type { IncomingMessage, ServerResponse } from "node:http";
import { describeError, type Logger } from "@meltemi/runtime";
import { REVIEWS } from "./discovery.ts";
import { mediaType, parseBody, readBody } from "./http/body.ts";
import { errorAnswer, jsonAnswer, send } from "./http/respond.ts";
import { parseTarget } from "./http/target.ts";
import type { Authenticator } from "./identity/authenticate.ts";
import { refuseUnauthorized } from "./identity/authorize.ts";
import { badRequest, methodNotAllowed, noSuchPath, Refusal } from "./refusal.ts";
import type { Registry } from "./registry.ts";
import { answerReview, type ReviewDeps } from "./reviews.ts";
import { serveResource, verbOf } from "./serve.ts";
import type { ResourceExchange, ServeDeps } from "./serve-types.ts";
import { type ServerPathsDeps, serverPath } from "./server-paths.ts";

export interface HandlerDeps {
  readonly authenticate: Authenticator;
  readonly registry: Registry;
  readonly reviews: ReviewDeps;
  readonly serverPaths: ServerPathsDeps;
  readonly serve: ServeDeps;
  readonly logger: Logger;
}

export type Handler = (request: IncomingMessage, response: ServerResponse) => Promise<void>;

/** Never rejects: whatever goes wrong becomes an answer, and what is our fault a line in the log. */
export function createHandler(deps: HandlerDeps): Handler {
  return async (request, response) => {
    try {
      await handle(deps, request, response);
    } catch (error) {
      if (!(error instanceof Refusal)) {
        deps.logger.error("request failed", {
          method: request.method,
          url: request.url,
          error: describeError(error),
        });
      }
      send(response, errorAnswer(error));
      // What was not read of a refused body is not worth reading: the connection ends with the answer.
      if (!request.complete) response.once("finish", () => request.destroy());
    }
  };
}

/** Probes and version checks come before anybody has credentials. */
const OPEN_PATHS = new Set(["/healthz", "/livez", "/readyz", "/version"]);

async function handle(deps: HandlerDeps, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = parseUrl(request.url ?? "/");
  const target = parseTarget(url.pathname);
  if (target === undefined) throw noSuchPath();
  const isOpen = target.kind === "server" && OPEN_PATHS.has(target.path);
  const user = isOpen ? undefined : deps.authenticate(request);
  if (target.kind === "server" || user === undefined) {
    const path = target.kind === "server" ? target.path : "";
    if (request.method !== "GET") throw methodNotAllowed(request.method ?? "");
    send(
      response,
      serverPath(deps.serverPaths, path, request.headers.accept ?? "", request.headers.host ?? ""),
    );
    return;
  }
  const verb = verbOf(request.method ?? "", target, url.searchParams);
  refuseUnauthorized({
    user,
    verb,
    group: target.group,
    resource: target.plural,
    subresource: target.subresource ?? "",
    namespace: target.namespace ?? "",
    name: target.name ?? "",
  });
  const exchange: ResourceExchange = { request, response, url, user, verb, target };
  if (await servedAsReview(deps, exchange)) return;
  const served = deps.registry.find(target.group, target.version, target.plural);
  if (served === undefined) {
    // `/apis/<group>/<version>` has no more segments than a resource has: it is asked here as well.
    throw noSuchPath();
  }
  await serveResource(deps.serve, exchange, served);
}

function parseUrl(text: string): URL {
  try {
    return new URL(text, "https://api-server");
  } catch (cause) {
    throw badRequest(`read the request's path: ${describeError(cause)}`);
  }
}

async function servedAsReview(deps: HandlerDeps, exchange: ResourceExchange): Promise<boolean> {
  const { target, request, response, user } = exchange;
  const review = REVIEWS.find(
    ({ group, version, plural }) =>
      group === target.group && version === target.version && plural === target.plural,
  );
  if (review === undefined) return false;
  if (request.method !== "POST" || target.name !== undefined) throw methodNotAllowed(request.method ?? "");
  const body = parseBody(await readBody(request), mediaType(request.headers["content-type"]));
  send(
    response,
    jsonAnswer(201, answerReview(deps.reviews, review.kind, target.namespace ?? "", body, user)),
  );
  return true;
}
