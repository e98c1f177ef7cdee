/** A foreign HBONE server: node:http2 over node:tls, with a certificate by openssl, on the address and port of a pod. */

import { once } from "node:events";
import {
  createSecureServer,
  type IncomingHttpHeaders,
  type SecureServerOptions,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from "node:http2";
import type { Socket } from "node:net";
import type { ForeignCredentials } from "./foreign-authority.fixture.ts";
import { FOREIGN_ADDRESS } from "./ztunnel.fixture.ts";

export interface Tunnel {
  readonly headers: IncomingHttpHeaders;
  readonly session: ServerHttp2Session;
  readonly stream: ServerHttp2Stream;
}

export interface ForeignHboneServer extends AsyncDisposable {
  readonly tunnels: Tunnel[];
  readonly sessions: ServerHttp2Session[];
  /** What it does with the next tunnels. */
  serve: (tunnel: Tunnel) => void;
}

/** Accepts and sends back what it gets. */
export function echo({ stream }: Tunnel): void {
  stream.respond({ ":status": 200 });
  stream.pipe(stream);
}

export async function startForeignHboneServer(
  port: number,
  credentials: ForeignCredentials,
  options: SecureServerOptions = {},
): Promise<ForeignHboneServer> {
  const server = createSecureServer({
    ...credentials,
    minVersion: "TLSv1.3",
    requestCert: true,
    rejectUnauthorized: true,
    ...options,
  });
  const sessions: ServerHttp2Session[] = [];
  // Those that came no further than TLS, too.
  const sockets = new Set<Socket>();
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  const tunnels: Tunnel[] = [];
  const foreign: ForeignHboneServer = {
    tunnels,
    sessions,
    serve: echo,
    async [Symbol.asyncDispose]() {
      for (const session of sessions) session.destroy();
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  server.on("session", (session) => {
    sessions.push(session);
    session.on("error", () => undefined);
  });
  server.on("stream", (stream, headers) => {
    stream.on("error", () => undefined);
    const { session } = stream;
    if (session === undefined) return;
    const tunnel = { headers, stream, session: session as ServerHttp2Session };
    tunnels.push(tunnel);
    foreign.serve(tunnel);
  });
  server.on("sessionError", () => undefined).on("tlsClientError", () => undefined);
  server.listen(port, FOREIGN_ADDRESS);
  await once(server, "listening");
  return foreign;
}
