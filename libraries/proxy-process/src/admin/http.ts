/** Small HTTP servers for operators: bounded in connections, header size and time, so that no caller can hold the proxy. */

import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { pipeline } from "node:stream/promises";
import { setImmediate } from "node:timers/promises";
import { promisify } from "node:util";
import { createGzip, gzip } from "node:zlib";
import { describeError, type Logger } from "@meltemi/runtime";

export interface HttpRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingMessage["headers"];
}

export interface HttpAnswer {
  readonly status: number;
  /** In pieces where it is long: they are made and sent one by one, and traffic goes on between them. */
  readonly body: string | Iterable<string>;
  /** Default `text/plain; charset=utf-8`. */
  readonly contentType?: string;
}

export interface HttpServerOptions {
  /** Prometheus, kubelet and a few operators. */
  readonly host: string;
  readonly port: number;
}

export interface HttpServer {
  readonly port: number;
  close(): Promise<void>;
}

const MAX_CONNECTIONS = 64;
const MAX_HEADER_BYTES = 16 * 1024;
const REQUEST_TIMEOUT_MS = 10_000;
/** Below this, compressing costs more than it saves. */
const MIN_COMPRESSED_BYTES = 1024;
const compress = promisify(gzip);

/** Rejects when the port is taken. Bodies of requests are not read. */
export function startHttpServer(
  options: HttpServerOptions,
  handle: (request: HttpRequest) => HttpAnswer | Promise<HttpAnswer>,
  logger: Logger,
): Promise<HttpServer> {
  const server: Server = createServer(
    {
      maxHeaderSize: MAX_HEADER_BYTES,
      requestTimeout: REQUEST_TIMEOUT_MS,
      headersTimeout: REQUEST_TIMEOUT_MS,
      keepAliveTimeout: REQUEST_TIMEOUT_MS,
    },
    async (incoming, response) => {
      // Nobody sends us a body that we need: what comes is discarded, within the request's time.
      incoming.resume();
      try {
        const answer = await handle(readRequest(incoming));
        await send(answer, incoming, response);
      } catch (error) {
        logger.warn("request failed", { path: incoming.url?.slice(0, 100), error: describeError(error) });
        if (!response.headersSent) response.writeHead(500).end();
        else response.destroy();
      }
    },
  );
  server.maxConnections = MAX_CONNECTIONS;
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen({ host: options.host, port: options.port }, () => {
      server.off("error", reject);
      server.on("error", (error) => logger.error("server failed", { error: describeError(error) }));
      const address = server.address();
      resolve({
        port: typeof address === "object" && address !== null ? address.port : options.port,
        close: () =>
          new Promise((closed) => {
            server.close(() => closed());
            server.closeAllConnections();
          }),
      });
    });
  });
}

async function send(answer: HttpAnswer, incoming: IncomingMessage, response: ServerResponse): Promise<void> {
  const { status, body } = answer;
  const mayZip = /\bgzip\b/.test(incoming.headers["accept-encoding"] ?? "");
  const headers = { "content-type": answer.contentType ?? "text/plain; charset=utf-8" };
  if (typeof body !== "string") {
    response.writeHead(status, { ...headers, ...(mayZip && GZIPPED) });
    await (mayZip ? pipeline(inTurns(body), createGzip(), response) : pipeline(inTurns(body), response));
    return;
  }
  const plain = Buffer.from(body);
  const isZipped = mayZip && plain.length >= MIN_COMPRESSED_BYTES;
  const bytes = isZipped ? await compress(plain) : plain;
  response.writeHead(status, { ...headers, "content-length": bytes.length, ...(isZipped && GZIPPED) });
  response.end(bytes);
}

const GZIPPED = { "content-encoding": "gzip" } as const;

/** 1000 label sets of a waypoint are 61 MB of text and 85 ms of work: no request waits for more than one piece. */
async function* inTurns(pieces: Iterable<string>): AsyncGenerator<string> {
  for (const piece of pieces) {
    yield piece;
    await setImmediate();
  }
}

function readRequest(incoming: IncomingMessage): HttpRequest {
  const url = URL.parse(incoming.url ?? "/", "http://localhost");
  return {
    method: incoming.method ?? "GET",
    path: url?.pathname ?? "/",
    query: url?.searchParams ?? new URLSearchParams(),
    headers: incoming.headers,
  };
}
