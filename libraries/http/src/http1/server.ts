/** The server side of HTTP/1.0 and HTTP/1.1, for many connections with the same bounds. */

import type { ByteChannel } from "@meltemi/l4";
import type { ServerConnection, ServerConnectionOwner } from "../exchange.ts";
import { DEFAULT_HTTP1_LIMITS } from "./limits.ts";
import { Http1ServerConnection, type Http1ServerDeps, type Http1ServerOptions } from "./server-connection.ts";

export interface Http1Server {
  /** Takes over a channel that was not opened; see `sniffChannel` for one of which bytes were read. */
  serve(channel: ByteChannel, owner: ServerConnectionOwner): ServerConnection;
}

/**
 * nginx's and Node's minute for a head; Envoy has no bound unless asked. Envoy's hour between requests.
 */
export const HTTP1_SERVER_DEFAULTS: Http1ServerOptions = {
  limits: DEFAULT_HTTP1_LIMITS,
  headTimeoutMs: 60_000,
  idleTimeoutMs: 3_600_000,
};

export function createHttp1Server(options: Http1ServerOptions, deps: Http1ServerDeps): Http1Server {
  return { serve: (channel, owner) => new Http1ServerConnection(channel, owner, options, deps) };
}
