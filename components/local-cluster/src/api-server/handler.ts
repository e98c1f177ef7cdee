/** From an HTTP request to its answer: who asks, what is named, may they, and who does it. */
import type { IncomingMessage, ServerResponse } from "node:http";
import { describeError, type Logger } from "@meltemi/runtime";
import { REVIEWS } from "./discovery.ts";
import { mediaType, parseBody, readBody } from "./http/body.ts";
import { errorAnswer, jsonAnswer, send } from "./http/respond.ts";
import { parseTarget } from "./http/target.ts";
import { type Attempt, type Authorize, refuseUnless } from "./identity/attempt.ts";
import type { Authenticator } from "./identity/authenticate.ts";
import type { UserInfo } from "./identity/user.ts";
import { badRequest, methodNotAllowed, noSuchPath, Refusal } from "./refusal.ts";
import type { Registry } from "./registry.ts";
import { answerReview, type ReviewDeps } from "./reviews.ts";
import { serveResource, verbOf } from "./serve.ts";
import type { ResourceExchange, ResourceTarget, ServeDeps, Verb } from "./serve-types.ts";
import { type ServerPathsDeps, serverPath } from "./server-paths.ts";

export interface HandlerDeps {
  /** Who asks, or whom they speak for. */
  readonly authenticate: Authenticator;
  readonly authorize: Authorize;
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
      // A client that still sends must not send its next request behind this one's body.
      if (!request.complete && hasBody(request) && !response.headersSent)
        response.setHeader("connection", "close");
      send(response, errorAnswer(error));
      // What was not read of a refused body is not worth reading: the connection ends with the answer.
      response.once("finish", () => {
        if (!request.complete) request.destroy();
      });
    }
  };
}

function hasBody({ headers }: IncomingMessage): boolean {
  return headers["transfer-encoding"] !== undefined || Number(headers["content-length"] ?? 0) > 0;
}

async function handle(deps: HandlerDeps, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = parseUrl(request.url ?? "/");
  const target = parseTarget(url.pathname);
  if (target === undefined) throw noSuchPath();
  const user = deps.authenticate(request);
  const method = request.method ?? "";
  if (target.kind === "server") {
    const { path } = target;
    refuseUnless(deps.authorize, { kind: "path", user, verb: method.toLowerCase(), path });
    if (request.method !== "GET") throw methodNotAllowed(request.method ?? "");
    send(
      response,
      serverPath(deps.serverPaths, path, request.headers.accept ?? "", request.headers.host ?? ""),
    );
    return;
  }
  const verb = verbOf(method, target, url.searchParams);
  refuseUnless(deps.authorize, attemptOf(user, verb, target, url.searchParams));
  const exchange: ResourceExchange = { request, response, url, user, verb, target };
  if (await servedAsReview(deps, exchange)) return;
  const served = deps.registry.find(target.group, target.version, target.plural);
  if (served === undefined) {
    // `/apis/<group>/<version>` has no more segments than a resource has: it is asked here as well.
    throw noSuchPath();
  }
  await serveResource(deps.serve, exchange, served);
}

function attemptOf(user: UserInfo, verb: Verb, target: ResourceTarget, query: URLSearchParams): Attempt {
  const { group, plural, name = chosenName(verb, query) } = target;
  // A Namespace lies in itself: a role in it may give rights on it.
  const own = group === "" && plural === "namespaces" ? target.name : undefined;
  return {
    kind: "resource",
    user,
    verb,
    group,
    resource: plural,
    subresource: target.subresource ?? "",
    namespace: target.namespace ?? own ?? "",
    name,
  };
}

const ONE_NAME = /^metadata\.name==?([^,=!]+)$/;

/** Whoever may see one object by its name may also wait for it: a list or watch of that name alone. */
function chosenName(verb: Verb, query: URLSearchParams): string {
  if (verb !== "list" && verb !== "watch") return "";
  return ONE_NAME.exec(query.get("fieldSelector") ?? "")?.[1] ?? "";
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
