/** A small HTTP server for probes, metrics and debug pages: bounded, bodies of requests are not read, no secrets behind it. */

import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { describeError, type Logger, MeshError } from "@meltemi/runtime";

export interface Page {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
}

export interface PageRequest {
  readonly method: "GET" | "POST";
  readonly path: string;
  readonly query: URLSearchParams;
  readonly accept: string | undefined;
  /** All values of `authorization`. */
  readonly authorization: readonly string[];
  /** Asked over loopback: from the same pod, or by `kubectl port-forward`. */
  readonly isLocal: boolean;
}

/** Undefined: no such page. */
export type Pages = (request: PageRequest) => Page | undefined | Promise<Page | undefined>;

export interface HttpServer extends AsyncDisposable {
  readonly port: number;
}

const MAX_HEADER_BYTES = 16 * 1024;
const REQUEST_TIMEOUT_MS = 10_000;
/** Scrapers, probes and a few people. */
const MAX_CONNECTIONS = 256;

const LOOPBACK = /^(?:::ffff:)?127\.|^::1$/;

/** `address`: `host:port` or `:port`. Rejects with UNAVAILABLE when it cannot be bound. */
export async function listenHttp(address: string, pages: Pages, logger: Logger): Promise<HttpServer> {
  const { host, port } = splitAddress(address);
  const server = createServer({ maxHeaderSize: MAX_HEADER_BYTES, requestTimeout: REQUEST_TIMEOUT_MS });
  server.maxConnections = MAX_CONNECTIONS;
  server.on("request", (request, response) => void answer(request, response, pages, logger));
  await listen(server, host, port, address);
  const bound = server.address();
  return {
    port: typeof bound === "object" && bound !== null ? bound.port : port,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** `:8080`, `127.0.0.1:8080`, `[::1]:8080`. */
export function splitAddress(address: string): { readonly host: string | undefined; readonly port: number } {
  const match = /^(?:\[([^\]]*)\]|([^:]*)):(\d{1,5})$/.exec(address);
  const port = Number(match?.[3]);
  if (match === null || port > 65_535)
    throw new MeshError(
      "CONFIG_INVALID",
      `listen on ${JSON.stringify(address)}: expected host:port or :port`,
    );
  const host = match[1] ?? match[2] ?? "";
  return { host: host === "" ? undefined : host, port };
}

function listen(server: Server, host: string | undefined, port: number, address: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", (cause) =>
      reject(new MeshError("UNAVAILABLE", `listen on ${address} for HTTP: cannot bind`, { cause })),
    );
    server.listen({ port, ...(host !== undefined && { host }) }, resolve);
  });
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  pages: Pages,
  logger: Logger,
): Promise<void> {
  // Nobody sends us a body that we need: what comes is discarded, within the request's time.
  request.resume();
  const page = await pageOf(request, pages, logger);
  response.writeHead(page.status, {
    "content-type": page.contentType,
    "content-length": Buffer.byteLength(page.body),
    ...(page.status === 405 && { allow: "GET, HEAD, POST" }),
  });
  response.end(request.method === "HEAD" ? undefined : page.body);
}

async function pageOf(request: IncomingMessage, pages: Pages, logger: Logger): Promise<Page> {
  const method = request.method === "HEAD" ? "GET" : request.method;
  if (method !== "GET" && method !== "POST") return textPage(405, "only GET and POST are served\n");
  const target = `http://localhost${request.url ?? "/"}`;
  if (!URL.canParse(target)) return textPage(400, "the path cannot be read\n");
  const url = new URL(target);
  try {
    const { accept } = request.headers;
    const isLocal = LOOPBACK.test(request.socket.remoteAddress ?? "");
    const authorization = request.headersDistinct["authorization"] ?? [];
    const page = await pages({
      method,
      path: url.pathname,
      query: url.searchParams,
      accept,
      authorization,
      isLocal,
    });
    return page ?? textPage(404, "not found\n");
  } catch (error) {
    logger.error("page failed", { path: url.pathname, reason: describeError(error) });
    return textPage(500, "internal error\n");
  }
}

export function textPage(status: number, body: string): Page {
  return { status, contentType: "text/plain; charset=utf-8", body };
}

export function jsonPage(value: unknown): Page {
  return { status: 200, contentType: "application/json", body: `${JSON.stringify(value, null, 2)}\n` };
}
