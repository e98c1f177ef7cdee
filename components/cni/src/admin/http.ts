/** Health and metrics over HTTP, bounded in connections, header size and time. Bodies are not read. */

import { createServer } from "node:http";
import { describeError, type Logger } from "@meltemi/runtime";

export interface HttpAnswer {
  readonly status: number;
  readonly body: string;
  /** Default `text/plain; charset=utf-8`. */
  readonly contentType?: string;
}

export interface HttpServer {
  close(): Promise<void>;
}

export interface AdminRequest {
  readonly path: string;
  readonly accept: string | undefined;
}

/** The kubelet, Prometheus and a few operators. */
const MAX_CONNECTIONS = 64;
const MAX_HEADER_BYTES = 16 * 1024;
const REQUEST_TIMEOUT_MS = 10_000;

/** On every address of the node. Rejects when the port is taken. */
export function startHttpServer(
  port: number,
  handle: (request: AdminRequest) => HttpAnswer,
  log: Logger,
): Promise<HttpServer> {
  const timeouts = {
    requestTimeout: REQUEST_TIMEOUT_MS,
    headersTimeout: REQUEST_TIMEOUT_MS,
    keepAliveTimeout: REQUEST_TIMEOUT_MS,
  };
  const server = createServer({ maxHeaderSize: MAX_HEADER_BYTES, ...timeouts }, (request, response) => {
    request.resume();
    const path = (request.url ?? "/").split("?")[0] ?? "/";
    const answer = handle({ path, accept: request.headers.accept });
    response.writeHead(answer.status, { "content-type": answer.contentType ?? "text/plain; charset=utf-8" });
    response.end(answer.body);
  });
  server.maxConnections = MAX_CONNECTIONS;
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, () => {
      server.off("error", reject);
      server.on("error", (error) => log.error("server failed", { error: describeError(error) }));
      resolve({
        close: () =>
          new Promise((closed) => {
            server.close(() => closed());
            server.closeAllConnections();
          }),
      });
    });
  });
}
