/** Serves the HTTP exchanges of client connections: each becomes a {@link ProxiedRequest} of the site that its port is at that moment. */

import type { ServerExchange } from "@meltemi/http";
import type { Identity } from "@meltemi/model";
import type { LocalReply, RequestContext } from "../request-context.ts";
import { normalizePath } from "../routing/normalize-path.ts";
import { withoutQuery } from "../routing/query.ts";
import { OpenTunnels } from "../serve/open-tunnels.ts";
import type { ClientConnectionFacts } from "../tcp/tcp-site.ts";
import { forwardClientIdentity, prepareHead } from "./forward-head.ts";
import { mirrorRequest } from "./mirrored-request.ts";
import { ProxiedRequest, type ProxyDeps } from "./proxied-request.ts";
import { CONNECT_REFUSED, unusablePath } from "./replies.ts";
import { RequestTally } from "./request-tally.ts";
import { sendReply } from "./send-reply.ts";
import type { HttpSite } from "./site.ts";

export interface HttpProxyDeps extends Omit<ProxyDeps, "mirror" | "tunnels"> {
  readonly requestId: () => string;
  /** Whose certificate this proxy presents; for `x-forwarded-client-cert`. */
  readonly identity: Identity;
}

export interface HttpProxy {
  /** `current`: the site as it is later; undefined when the port is served no more. */
  serve(
    exchange: ServerExchange,
    connection: ClientConnectionFacts,
    site: HttpSite,
    current: () => HttpSite | undefined,
  ): void;
  /** Policies may have changed: upgraded requests that they forbid now are cut, soon. Streams of gRPC run on, as in Istio. */
  rejudge(): void;
}

export function createHttpProxy(deps: HttpProxyDeps): HttpProxy {
  const tunnels = new OpenTunnels(deps);
  const proxyDeps: ProxyDeps = {
    tunnels,
    clock: deps.clock,
    random: deps.random,
    heldBytes: deps.heldBytes,
    onInternalError: deps.onInternalError,
    mirror: (plan, held, context) => mirrorRequest(plan, held, context, deps.clock),
  };
  return {
    serve(exchange, { caller, destination, serverName }, site, current) {
      const { request } = exchange;
      prepareHead(request, deps.requestId);
      if (site.forwardClientIdentity) forwardClientIdentity(request, deps.identity, caller);
      const path = normalizePath(request.path, site.pathNormalization);
      request.path = path ?? request.path;
      const context: RequestContext = {
        request,
        caller,
        destination,
        serverName,
        path: withoutQuery(request.path),
        token: undefined,
        metadata: new Map(),
      };
      if (request.method === "CONNECT") refuse(exchange, CONNECT_REFUSED, context, site, deps);
      else if (path === undefined) refuse(exchange, unusablePath("not_normalizable"), context, site, deps);
      else new ProxiedRequest(exchange, context, site, current, proxyDeps).start();
    },
    rejudge: () => tunnels.rejudge(),
  };
}

/** Before any filter: what cannot be read, or not in one way only, is not judged. */
function refuse(
  exchange: ServerExchange,
  reply: LocalReply,
  context: RequestContext,
  site: HttpSite,
  deps: HttpProxyDeps,
): void {
  const tally = new RequestTally(context, deps.clock);
  const { head, bodyBytes } = sendReply(exchange, reply, undefined);
  tally.response(head);
  tally.responseBytes += bodyBytes;
  const { flag, details } = reply;
  site.observer.onComplete(
    tally.record(
      { kind: "replied", flag, details, upstreamFailure: "" },
      {
        service: site.service,
        cluster: undefined,
        endpoint: undefined,
        attempts: 0,
        upstreamServiceTimeMs: undefined,
      },
    ),
  );
}
