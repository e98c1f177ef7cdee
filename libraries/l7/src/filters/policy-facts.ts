/** A request, or a connection, as policies look at it. */

import type { PolicyFacts, RequestPolicies } from "@meltemi/authorization";
import type { RequestContext } from "../request-context.ts";
import type { ClientConnectionFacts } from "../tcp/tcp-site.ts";

export function policyFacts(policies: RequestPolicies, context: RequestContext): PolicyFacts {
  const { request, path, token, metadata } = context;
  const { method, authority, headers } = request;
  return policies.factsOf(connectionOf(context), { method, authority, path, headers, token, metadata });
}

export function connectionFacts(policies: RequestPolicies, connection: ClientConnectionFacts): PolicyFacts {
  return policies.factsOf(connectionOf(connection), undefined);
}

function connectionOf({
  caller,
  destination,
  serverName,
}: ClientConnectionFacts): Parameters<RequestPolicies["factsOf"]>[0] {
  return { identity: caller.identity, sourceIp: caller.ip, destination, serverName };
}
