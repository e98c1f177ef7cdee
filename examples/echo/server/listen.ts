/** Opens the ports. */

import { createServer, type Socket } from "node:net";
import { createServer as createTlsServer } from "node:tls";
import { serveGrpc } from "./grpc-echo.ts";
import { createHttpEcho } from "./http-echo.ts";
import { takeOffProxyHeader } from "./proxy-header.ts";
import type { Server } from "./report.ts";
import { echoBytes } from "./tcp-echo.ts";

export interface Served {
  readonly kind: "http" | "grpc" | "tcp" | "tls" | "proxied";
  readonly port: number;
}

/** `tls` is HTTP within TLS; it needs the certificate. `proxied` is HTTP behind a PROXY header, which must be there. */
export function listen(
  { kind, port }: Served,
  server: Server,
  tls: { readonly cert: Buffer; readonly key: Buffer } | undefined,
): Promise<void> {
  if (kind === "grpc") return serveGrpc(port, server);
  if (kind === "tls" && tls === undefined)
    throw new Error(`serve TLS on port ${port}: TLS_CERTIFICATE and TLS_KEY name no files`);
  const http = createHttpEcho(server);
  const take: (socket: Socket) => void =
    kind === "tcp"
      ? (socket) => echoBytes(server, socket)
      : kind === "proxied"
        ? (socket) => takeOffProxyHeader(socket, http)
        : http;
  const listener = kind === "tls" && tls !== undefined ? createTlsServer(tls, take) : createServer(take);
  return new Promise((resolve, reject) => {
    listener.once("error", reject);
    listener.listen(port, "::", () => resolve());
  });
}
