/** HTTP/1.0, HTTP/1.1, h2c and WebSocket, all on one port: what a connection speaks is seen from its first bytes. */

import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { constants, createServer as createHttp2Server, type Http2ServerRequest } from "node:http2";
import type { Socket } from "node:net";
import { setTimeout as wait } from "node:timers/promises";
import type { Command } from "./command.ts";
import { proxyHeaderOf } from "./proxy-header.ts";
import { describeBody, numberOf, plainHeaders, type Report, type Server } from "./report.ts";
import { serveWebSocket } from "./websocket.ts";

type Request = IncomingMessage | Http2ServerRequest;
/** What both kinds have in common. */
type Response = Pick<
  ServerResponse,
  "statusCode" | "headersSent" | "setHeader" | "flushHeaders" | "addTrailers"
> & {
  write(text: string): boolean;
  end(text?: string): unknown;
  destroy(): unknown;
};

const HTTP2_BEGINS = "PRI * HTTP/2.0";

/** Takes over TCP connections. */
export function createHttpEcho(server: Server): (socket: Socket) => void {
  const onRequest = (request: Request, response: Response): void => {
    // What the client cut short needs no answer, and is no reason to end.
    answer(server, request, response).catch((error: unknown) => refuse(response, error));
  };
  const http1 = createServer({ keepAliveTimeout: 60_000 }, onRequest);
  const http2 = createHttp2Server((request, response) => onRequest(request, response as unknown as Response));
  http1.on("upgrade", (request, socket) => serveWebSocket(server, request, socket));
  http2.on("sessionError", () => {});
  return (socket) => {
    numberOf(socket);
    socket.on("error", () => socket.destroy());
    socket.once("readable", () => {
      const first: Buffer | null = socket.read();
      if (first === null) return;
      socket.unshift(first);
      const isHttp2 = first.toString("latin1", 0, HTTP2_BEGINS.length) === HTTP2_BEGINS;
      if (isHttp2) http2.once("session", (session) => void sockets.set(session, socket));
      (isHttp2 ? http2 : http1).emit("connection", socket);
    });
  };
}

function refuse(response: Response, error: unknown): void {
  if (response.headersSent) return void response.destroy();
  response.statusCode = 400;
  response.end(`${error instanceof Error ? error.message : error}\n`);
}

async function answer(server: Server, request: Request, response: Response): Promise<void> {
  const url = new URL(request.url ?? "/", "http://echo");
  const body = await readBody(request);
  if (url.pathname === "/echo/default" && request.method === "POST") {
    setDefault(server, request, body.toString());
    response.end("ok\n");
    return;
  }
  const words = String(request.headers["x-echo"] ?? url.searchParams.get("echo") ?? "");
  const command = server.behaviour.decide(words);
  if (command.crash) process.exit(1);
  if (command.delayMs > 0) await wait(command.delayMs);
  if (command.abort) return cutOff(request);
  await writeAnswer(response, command, JSON.stringify(reportOf(server, request, body)));
}

/** HTTP/2 resets the stream, HTTP/1 has only the connection to end. */
function cutOff(request: Request): void {
  if ("stream" in request) request.stream.close(constants.NGHTTP2_INTERNAL_ERROR);
  else request.socket.destroy();
}

function setDefault(server: Server, request: Request, words: string): void {
  const from = request.socket.remoteAddress ?? "";
  if (!/^(::1|(::ffff:)?127\.\d+\.\d+\.\d+)$/.test(from))
    throw new Error(`set the usual behaviour from ${from}: only the pod itself may`);
  server.behaviour.setDefault(words.trim());
}

async function readBody(request: Request): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk);
  return Buffer.concat(chunks);
}

function reportOf(server: Server, request: Request, body: Buffer): Report {
  const socket = socketOf(request);
  const proxyHeader = proxyHeaderOf(socket);
  return {
    ...server.identity,
    protocol: `HTTP/${request.httpVersion}`,
    method: request.method ?? "",
    path: request.url ?? "",
    host: String(request.headers[":authority"] ?? request.headers.host ?? ""),
    headers: plainHeaders(request.headers),
    trailers: plainHeaders(request.trailers),
    body: describeBody(body),
    port: socket.localPort ?? 0,
    clientAddress: socket.remoteAddress ?? "",
    connection: numberOf(socket),
    ...(proxyHeader === undefined ? {} : { proxyHeader }),
  };
}

/** node:http2 gives a stand-in for the socket, a new one each time. */
const sockets = new WeakMap<object, Socket>();

function socketOf(request: Request): Socket {
  const session = "stream" in request ? request.stream.session : undefined;
  return (session === undefined ? undefined : sockets.get(session)) ?? request.socket;
}

async function writeAnswer(response: Response, command: Command, report: string): Promise<void> {
  const body = command.sizeBytes === undefined ? `${report}\n` : "x".repeat(command.sizeBytes);
  response.statusCode = command.status ?? 200;
  response.setHeader("content-type", command.sizeBytes === undefined ? "application/json" : "text/plain");
  for (const [name, value] of command.headers) response.setHeader(name, value);
  if (command.cut) {
    response.setHeader("content-length", String(Buffer.byteLength(body) + 1));
    response.write(body);
    await wait(10);
    return void response.destroy();
  }
  if (command.stallMs > 0) {
    response.flushHeaders();
    await wait(command.stallMs);
  }
  if (command.trailers) {
    response.write(body);
    response.addTrailers({ "x-echo-trailer": "yes" });
    response.end();
    return;
  }
  response.end(body);
}
