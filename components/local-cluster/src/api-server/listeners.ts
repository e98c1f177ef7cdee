/** The HTTPS listeners of the API server, and the bounds of what they take. */
import { createServer, type Server } from "node:https";
import type { Socket } from "node:net";
import type { Handler } from "./handler.ts";
import type { PodUpgrade } from "./pod-upgrade.ts";

/** Where to listen: an address, or a listening socket that somebody else opened (in another network namespace). */
export type ListenerOptions =
  | { readonly kind: "address"; readonly host: string; readonly port: number }
  | { readonly kind: "descriptor"; readonly fd: number };

export interface ServerTls {
  readonly keyPem: string;
  readonly certPem: string;
  /** Whose client certificates say who somebody is. */
  readonly caPem: string;
}

/** One kubectl opens a handful; a cluster of hundreds of watchers stays far below. */
const MAX_CONNECTIONS = 8_192;
/** A head that takes longer than this to arrive is no client's. */
const HEADERS_TIMEOUT_MS = 10_000;
/** A 3 MiB body over a slow link still fits; a trickle does not. */
const REQUEST_TIMEOUT_MS = 60_000;
/** Longer than clients keep idle connections: the one that closes first is then never the server, with a request on its way. */
const KEEP_ALIVE_MS = 120_000;
const MAX_HEADER_BYTES = 32 * 1024;

/** Listens. @throws Node's error when the port is taken */
export async function listen(
  tls: ServerTls,
  listener: ListenerOptions,
  handle: Handler,
  pods: PodUpgrade | undefined,
): Promise<Server> {
  const server = createServer(
    {
      key: tls.keyPem,
      cert: tls.certPem,
      ca: tls.caPem,
      minVersion: "TLSv1.2",
      // Certificates are one way to say who one is; without one a token is needed, so none is no fault here.
      requestCert: true,
      rejectUnauthorized: false,
      maxHeaderSize: MAX_HEADER_BYTES,
      headersTimeout: HEADERS_TIMEOUT_MS,
      requestTimeout: REQUEST_TIMEOUT_MS,
    },
    (request, response) => {
      handle(request, response).catch((error: unknown) =>
        response.destroy(error instanceof Error ? error : undefined),
      );
    },
  );
  if (pods !== undefined) server.on("upgrade", pods.upgrade);
  server.maxConnections = MAX_CONNECTIONS;
  server.keepAliveTimeout = KEEP_ALIVE_MS;
  // A reset in the middle of a handshake is the client's affair.
  server.on("tlsClientError", (_error, socket: Socket) => socket.destroy());
  await new Promise<void>((resolve, reject) => {
    // Later faults of the listener (no descriptors left) pass: the connections that there are go on.
    server.on("error", reject);
    server.once("listening", () => resolve());
    if (listener.kind === "address") server.listen(listener.port, listener.host);
    else server.listen({ fd: listener.fd });
  });
  return server;
}

/** Ends its connections, those at work too. */
export async function closeServer(server: Server): Promise<void> {
  await new Promise<void>((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
