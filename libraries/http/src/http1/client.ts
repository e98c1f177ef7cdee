/** The client side of HTTP/1.1. */

import type { ByteChannel } from "@meltemi/l4";
import type { ClientConnection, ClientConnectionOwner } from "../exchange.ts";
import { Http1ClientConnection, type Http1ClientOptions } from "./client-connection.ts";
import type { Http1ConnectionDeps } from "./connection.ts";
import { DEFAULT_HTTP1_LIMITS } from "./limits.ts";

export const HTTP1_CLIENT_DEFAULTS: Http1ClientOptions = { limits: DEFAULT_HTTP1_LIMITS };

/** Takes over a connected channel that was not opened. It has room for a request at once; the owner is not told of that. */
export function createHttp1Client(
  channel: ByteChannel,
  owner: ClientConnectionOwner,
  options: Http1ClientOptions,
  deps: Http1ConnectionDeps,
): ClientConnection {
  const connection = new Http1ClientConnection(channel, owner, options, deps);
  channel.open(connection);
  return connection;
}
