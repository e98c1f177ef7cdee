import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { type ClientHttp2Session, connect, createServer as createHttp2Server } from "node:http2";
import type { Server } from "node:net";
import type { Duplex } from "node:stream";
import { after, test } from "node:test";
import { WebSocket, WebSocketServer } from "ws";
import { backends, listen, serve } from "./port-server.fixture.ts";

/** The library speaks frames over any stream; over HTTP/2 the handshake is the stream's. */
function overStream(stream: Duplex, isServer: boolean): WebSocket {
  const socket = new (
    WebSocket as unknown as new (
      address: null,
      protocols: undefined,
      options: object,
    ) => WebSocket
  )(null, undefined, { autoPong: true, closeTimeout: 30_000 });
  // Without a time of its own it would give up on the other side's close frame after a millisecond.
  const options = { maxPayload: 0, skipUTF8Validation: false, allowSynchronousEvents: true };
  Object.assign(socket, { _isServer: isServer });
  (socket as unknown as { setSocket(...of: unknown[]): void }).setSocket(stream, Buffer.alloc(0), options);
  return socket;
}

const closers: (() => void)[] = [];
after(() => {
  for (const close of closers) close();
});

/** Echoes messages; `seen` are the heads of the handshakes. */
async function startHttp1(): Promise<NodeJS.Dict<unknown>[]> {
  const seen: NodeJS.Dict<unknown>[] = [];
  const server = createServer();
  const sockets = new WebSocketServer({ server });
  sockets.on("connection", (socket, request) => {
    seen.push(request.headers);
    socket.on("message", (bytes, isBinary) => socket.send(bytes, { binary: isBinary }));
  });
  closers.push(() => sockets.close());
  backends.own = await listen(server);
  return seen;
}

async function startHttp2(): Promise<NodeJS.Dict<unknown>[]> {
  const seen: NodeJS.Dict<unknown>[] = [];
  const server = createHttp2Server({ settings: { enableConnectProtocol: true } });
  server.on("stream", (stream, headers) => {
    seen.push(headers);
    stream.respond({ ":status": 200 });
    const socket = overStream(stream, true);
    socket.on("message", (bytes, isBinary) => socket.send(bytes, { binary: isBinary }));
  });
  server.on("session", (session) => closers.push(() => session.destroy()));
  backends.own = await listen(server as unknown as Server);
  return seen;
}

async function dialHttp2(port: number): Promise<{
  readonly session: ClientHttp2Session;
  readonly stream: Duplex;
  readonly headers: NodeJS.Dict<unknown>;
}> {
  const session = connect(`http://127.0.0.1:${port}`);
  closers.push(() => session.destroy());
  await once(session, "remoteSettings");
  const stream = session.request({
    ":method": "CONNECT",
    ":protocol": "websocket",
    ":path": "/chat",
    ":scheme": "http",
    ":authority": "reviews",
    "sec-websocket-version": "13",
  });
  const [headers] = (await once(stream, "response")) as [NodeJS.Dict<unknown>];
  return { session, stream, headers };
}

async function isEchoed(socket: WebSocket): Promise<void> {
  for (const text of ["ping", "x".repeat(100_000)]) {
    const echoed = once(socket, "message");
    socket.send(text);
    assert.equal(String((await echoed)[0]), text);
  }
  const closed = once(socket, "close");
  socket.close(1000, "done");
  assert.deepEqual([(await closed)[0]], [1000]);
}

test("from HTTP/1.1 to a service of HTTP/2: the client's key is answered by the proxy", async () => {
  const seen = await startHttp2();
  const bench = await serve("http", "own", "http2");
  const socket = new WebSocket(`ws://127.0.0.1:${bench.port}/chat`);
  await once(socket, "open");
  await isEchoed(socket);
  assert.deepEqual([seen[0]?.[":protocol"], seen[0]?.["sec-websocket-key"]], ["websocket", undefined]);
  assert.deepEqual(bench.errors, []);
});

test("from HTTP/2 to a service of HTTP/1.1: the proxy brings the key", async () => {
  const seen = await startHttp1();
  const bench = await serve("http", "own", "http1");
  const { stream, headers } = await dialHttp2(bench.port);
  assert.deepEqual([headers[":status"], headers["sec-websocket-accept"]], [200, undefined]);
  await isEchoed(overStream(stream, false));
  assert.match(String(seen[0]?.["sec-websocket-key"]), /^[\w+/]{22}==$/);
  assert.deepEqual(bench.errors, []);
});

test("from HTTP/1.1 to HTTP/1.1 nothing is made or changed", async () => {
  const seen = await startHttp1();
  const bench = await serve("http", "own", "http1");
  const socket = new WebSocket(`ws://127.0.0.1:${bench.port}/chat`);
  await once(socket, "open");
  await isEchoed(socket);
  assert.equal(seen.length, 1);
});

test("a service of HTTP/1.1 that gives a wrong answer to the proxy's key is not believed", async () => {
  const server = createServer().on("upgrade", (_request, socket) => {
    socket.on("error", () => undefined);
    socket.write(
      "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-accept: wrong\r\n\r\n",
    );
  });
  backends.own = await listen(server);
  const bench = await serve("http", "own", "http1");
  const { headers, session } = await dialHttp2(bench.port);
  assert.equal(headers[":status"], 502);
  session.destroy();
  assert.match(bench.requests[0]?.upstreamFailure ?? "", /^sec-websocket-accept: expected .*, got wrong$/);
});
