/** Questions to one external authorizer, over the cluster that the configuration names. */

import type { ExternalAuthorizer } from "@meltemi/model/l7";
import type { Clock } from "@meltemi/runtime";
import { callGrpc } from "../proxy/call-grpc.ts";
import { callService } from "../proxy/call-service.ts";
import type { BodyStart, Cancellation, RequestContext } from "../request-context.ts";
import { connectionContext } from "../tcp/connection-context.ts";
import type { ClientConnectionFacts } from "../tcp/tcp-site.ts";
import type { UpstreamCluster } from "../upstream/upstream-cluster.ts";
import { CHECK_PATH, connectionQuestion, GrpcProtocol } from "./grpc-authorizer.ts";
import { HttpProtocol } from "./http-authorizer.ts";
import type { AuthorizerVerdict } from "./verdict.ts";

export interface AskDeps {
  readonly clock: Clock;
  /** Undefined for a name that is not there. */
  readonly cluster: (name: string) => UpstreamCluster | undefined;
}

/** Never rejects. */
export type AskRequest = (
  context: RequestContext,
  body: BodyStart | undefined,
  cancellation: Cancellation,
) => Promise<AuthorizerVerdict>;

/** Never rejects. */
export type AskConnection = (connection: ClientConnectionFacts) => Promise<AuthorizerVerdict>;

/**
 * A connection that waits for its verdict is not read from, so that nobody would hear its client leave: it waits no longer than this
 * for each authorizer, whatever the mesh's configuration permits (by default ten minutes).
 */
const MAX_CONNECTION_WAIT_MS = 60_000;

export function requestQuestions(authorizer: ExternalAuthorizer, deps: AskDeps): AskRequest {
  const { timeoutMs } = authorizer;
  const { clock } = deps;
  if (authorizer.protocol === "grpc") {
    const protocol = new GrpcProtocol(authorizer);
    return async (context, body, cancellation) => {
      const cluster = deps.cluster(authorizer.cluster);
      if (cluster === undefined) return missing(authorizer);
      const message = protocol.question(context, body, clock.nowMs());
      const call = { cluster, context, path: CHECK_PATH, message, timeoutMs };
      return protocol.verdict(await callGrpc(call, { clock, cancellation }));
    };
  }
  const protocol = new HttpProtocol(authorizer);
  return async (context, body, cancellation) => {
    const cluster = deps.cluster(authorizer.cluster);
    if (cluster === undefined) return missing(authorizer);
    const head = protocol.question(context, body);
    const bytes = body?.bytes;
    const call = { cluster, context, head, body: bytes?.length === 0 ? undefined : bytes, timeoutMs };
    return protocol.verdict(await callService(call, { clock, cancellation }));
  };
}

/** Undefined: it speaks HTTP, which has no words for a connection without requests. */
export function connectionQuestions(
  authorizer: ExternalAuthorizer,
  deps: AskDeps,
): AskConnection | undefined {
  if (authorizer.protocol !== "grpc") return undefined;
  const protocol = new GrpcProtocol(authorizer);
  const timeoutMs = Math.min(authorizer.timeoutMs, MAX_CONNECTION_WAIT_MS);
  const { clock } = deps;
  return async (connection) => {
    const cluster = deps.cluster(authorizer.cluster);
    if (cluster === undefined) return missing(authorizer);
    const context = connectionContext(connection);
    const call = { cluster, context, path: CHECK_PATH, message: connectionQuestion(connection), timeoutMs };
    // Nobody takes the question back: see above.
    return protocol.verdict(await callGrpc(call, { clock, cancellation: new AbortController() }));
  };
}

function missing({ cluster }: ExternalAuthorizer): AuthorizerVerdict {
  return { kind: "error", why: `no cluster ${cluster}` };
}
