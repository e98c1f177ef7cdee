/** Both ends against programs of others, over real sockets: Node's own HTTP, curl, nginx. */
import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { Agent, createServer as createNodeServer, type IncomingMessage, request } from "node:http";
import { connect, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { promisify } from "node:util";
import { tcpChannel } from "@meltemi/l4";
import { systemClock } from "@meltemi/runtime";
import { eventually } from "@meltemi/testkit";
import type {
  BodyReceiver,
  ClientConnection,
  HttpFault,
  RequestHead,
  ResponseHead,
  ServerExchange,
} from "../exchange.ts";
import { HeaderFields } from "../headers.ts";
import { createHttp1Client, HTTP1_CLIENT_DEFAULTS } from "./client.ts";
import { createHttp1Server, HTTP1_SERVER_DEFAULTS } from "./server.ts";

const run = promisify(execFile);
const internalErrors: unknown[] = [];
const deps = { clock: systemClock, onInternalError: (error: unknown) => void internalErrors.push(error) };
const LARGE = randomBytes(3_000_000);
const hash = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");
const cleanups: (() => unknown)[] = [];

after(async () => {
  for (const cleanup of cleanups.reverse()) await cleanup();
  assert.deepEqual(internalErrors, []);
});

async function listen(server: Server): Promise<number> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  cleanups.push(() => server.close());
  const address = server.address();
  assert.ok(address !== null && typeof address === "object");
  return address.port;
}

/** Sends back what it receives, byte for byte and with back-pressure; a large body on GET /large. */
class Echo implements BodyReceiver {
  readonly #exchange: ServerExchange;

  constructor(exchange: ServerExchange) {
    this.#exchange = exchange;
    const { request: head } = exchange;
    const headers = HeaderFields.of(["x-method", head.method], ["x-path", head.path]);
    if (head.path === "/large") headers.append("content-length", String(LARGE.length));
    const status = head.upgrade !== undefined ? 101 : 200;
    exchange.respond({ status, headers }, false);
    exchange.receive(this);
    if (head.path !== "/large") return;
    exchange.write(LARGE, false);
  }

  onData(chunk: Uint8Array, lent: boolean): void {
    if (!this.#exchange.write(chunk, lent)) this.#exchange.pause();
  }

  onEnd(trailers: HeaderFields | undefined): void {
    this.#exchange.end(trailers);
  }

  onWritable(): void {
    this.#exchange.resume();
  }

  onFault(): void {}
}

async function startEcho(): Promise<number> {
  const http = createHttp1Server(HTTP1_SERVER_DEFAULTS, deps);
  const owner = {
    onExchange: (exchange: ServerExchange) => void new Echo(exchange),
    onRefused: () => {},
    onClosed: () => {},
  };
  const sockets = new Set<Socket>();
  cleanups.push(() => {
    for (const socket of sockets) socket.destroy();
  });
  return listen(
    createServer({ allowHalfOpen: true, pauseOnConnect: true }, (socket) => {
      sockets.add(socket);
      http.accept(tcpChannel(socket), owner);
    }),
  );
}

async function collect(response: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

test("server: node:http as client, keep-alive, chunks both ways, trailers, a large body", async () => {
  const port = await startEcho();
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  cleanups.push(() => agent.destroy());
  for (const [method, path, body] of [
    ["GET", "/a?b", undefined],
    ["PUT", "/small", Buffer.from("hello")],
    ["PUT", "/big", LARGE],
    ["GET", "/large", undefined],
    ["DELETE", "/", undefined],
  ] as const) {
    const sent = request({ port, host: "127.0.0.1", method, path, agent });
    if (body !== undefined) {
      sent.setHeader("Trailer", "X-Sum");
      sent.write(body);
      sent.addTrailers({ "X-Sum": "7" });
    }
    sent.end();
    const [response] = (await once(sent, "response")) as [IncomingMessage];
    const received = await collect(response);
    assert.equal(response.headers["x-method"], method);
    assert.equal(response.headers["x-path"], path);
    const want = path === "/large" ? LARGE : (body ?? Buffer.alloc(0));
    assert.equal(hash(received), hash(want));
    if (body !== undefined) assert.equal(response.trailers["x-sum"], "7");
  }
});

test("server: node:http as client waits for 100 Continue; an upgrade is bytes both ways", async () => {
  const port = await startEcho();
  const waiting = request({ port, host: "127.0.0.1", method: "PUT", headers: { expect: "100-continue" } });
  waiting.flushHeaders();
  const response = once(waiting, "response") as Promise<[IncomingMessage]>;
  await once(waiting, "response");
  waiting.end("body");
  assert.equal((await collect((await response)[0])).toString(), "body");

  const upgrading = request({ port, host: "127.0.0.1", headers: { connection: "upgrade", upgrade: "echo" } });
  upgrading.end();
  const [, socket] = (await once(upgrading, "upgrade")) as [IncomingMessage, Socket];
  socket.write("ping");
  const [pong] = (await once(socket, "data")) as [Buffer];
  assert.equal(pong.toString(), "ping");
  socket.end();
  await once(socket, "close");
});

test("server: curl, HTTP/1.0 and 1.1, upload, 100-continue, several requests on one connection", async () => {
  const port = await startEcho();
  const url = `http://127.0.0.1:${port}`;
  const folder = await mkdtemp(join(tmpdir(), "meltemi-http1-"));
  cleanups.push(() => rm(folder, { recursive: true }));
  const file = join(folder, "large");
  await writeFile(file, LARGE);
  for (const version of ["--http1.1", "--http1.0"]) {
    const output = join(folder, "out");
    const curl = ["-sS", version, "--max-time", "20", "-o", output];
    await run("curl", [...curl, "--data-binary", `@${file}`, "-H", "Expect: 100-continue", `${url}/up`]);
    const { stdout } = await run("sha256sum", [output]);
    assert.equal(stdout.slice(0, 64), hash(LARGE), version);
  }
  const { stdout } = await run("curl", ["-sSv", "-d", "one", `${url}/1`, `${url}/2`], {}).then(
    ({ stdout: body, stderr }) => ({ stdout: `${body}\n${stderr}` }),
  );
  assert.match(stdout, /^oneone\n/);
  assert.match(stdout, /Re-using existing connection/);
});

class Answer {
  status = 0;
  head: ResponseHead | undefined;
  readonly informational: number[] = [];
  readonly chunks: Buffer[] = [];
  trailers: HeaderFields | undefined;
  ended = false;
  failure: HttpFault | undefined;
  onWritable: () => void = () => {};

  onInformational(status: number): void {
    this.informational.push(status);
  }

  onResponse(head: ResponseHead, ended: boolean): void {
    this.head = head;
    this.status = head.status;
    this.ended = ended;
  }

  onData(chunk: Uint8Array): void {
    this.chunks.push(Buffer.from(chunk));
  }

  onEnd(trailers: HeaderFields | undefined): void {
    this.trailers = trailers;
    this.ended = true;
  }

  onFault(fault: HttpFault): void {
    this.failure = fault;
  }

  async whole(): Promise<Buffer> {
    await eventually(() => this.ended || this.failure !== undefined);
    assert.equal(this.failure, undefined);
    return Buffer.concat(this.chunks);
  }
}

async function dial(port: number): Promise<{ client: ClientConnection; closed: () => boolean }> {
  const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
  await once(socket, "connect");
  cleanups.push(() => socket.destroy());
  let closed = false;
  const owner = {
    onCapacity: () => {},
    onDraining: () => {},
    onClosed: () => {
      closed = true;
    },
  };
  const client = createHttp1Client(tcpChannel(socket), owner, HTTP1_CLIENT_DEFAULTS, deps);
  return { client, closed: () => closed };
}

const head = (port: number, path: string, changes: Partial<RequestHead> = {}): RequestHead => ({
  version: "HTTP/1.1",
  method: "GET",
  scheme: "http",
  authority: `127.0.0.1:${port}`,
  path,
  headers: new HeaderFields(),
  expectsContinue: false,
  ...changes,
});

test("client: node:http as server, keep-alive, chunks, trailers, 100 Continue, early hints, a large body", async () => {
  const port = await listen(
    createNodeServer((incoming, response) => {
      if (incoming.url === "/large") {
        response.writeHead(200, { "Content-Length": LARGE.length }).end(LARGE);
        return;
      }
      response.writeEarlyHints({ link: "</a>; rel=preload" });
      response.setHeader("Trailer", "X-Sum");
      response.addTrailers({ "X-Sum": "7" });
      incoming.pipe(response);
    }),
  );
  const { client } = await dial(port);
  const large = new Answer();
  client.send(head(port, "/large"), true, large);
  assert.equal(hash(await large.whole()), hash(LARGE));
  assert.equal(client.capacity, 1);
  const echo = new Answer();
  const exchange = client.send(head(port, "/", { method: "PUT", expectsContinue: true }), false, echo);
  await eventually(() => echo.informational.includes(100));
  for (let at = 0; at < LARGE.length; ) {
    const end = Math.min(at + 50_000, LARGE.length);
    if (!exchange.write(LARGE.subarray(at, end), false))
      await new Promise<void>((resolve) => {
        echo.onWritable = resolve;
      });
    at = end;
  }
  exchange.end();
  assert.equal(hash(await echo.whole()), hash(LARGE));
  assert.deepEqual(echo.informational, [100, 103]);
  assert.equal(echo.trailers?.get("x-sum"), "7");
  const head1 = new Answer();
  client.send(head(port, "/large", { method: "HEAD" }), true, head1);
  await head1.whole();
  assert.equal(head1.head?.headers.get("content-length"), String(LARGE.length));
});

test("client: node:http as server accepts an upgrade, and cuts a response", async () => {
  const server = createNodeServer((_, response) => {
    response.writeHead(200, { "Content-Length": 10 });
    response.write("half");
    setImmediate(() => response.socket?.destroy());
  });
  server.on("upgrade", (_, socket) => {
    socket.write("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n");
    socket.pipe(socket);
  });
  const port = await listen(server);
  const upgraded = await dial(port);
  const tunnel = new Answer();
  const exchange = upgraded.client.send(head(port, "/", { upgrade: "echo" }), false, tunnel);
  await eventually(() => tunnel.status === 101);
  exchange.write(Buffer.from("ping"), true);
  await eventually(() => Buffer.concat(tunnel.chunks).toString() === "ping");
  exchange.end();
  await tunnel.whole();
  await eventually(upgraded.closed);
  const cut = await dial(port);
  const half = new Answer();
  cut.client.send(head(port, "/"), true, half);
  await eventually(() => half.failure !== undefined);
  assert.equal(half.status, 200);
  assert.equal(half.failure?.kind, "reset");
  await eventually(cut.closed);
});

const NGINX = "/usr/sbin/nginx";

test("client: nginx as server", { skip: existsSync(NGINX) ? false : "nginx is not installed" }, async () => {
  const folder = await mkdtemp(join(tmpdir(), "meltemi-nginx-"));
  cleanups.push(() => rm(folder, { recursive: true }));
  const probe = createServer();
  const port = await listen(probe);
  await new Promise((resolve) => probe.close(resolve));
  await writeFile(join(folder, "large"), LARGE);
  const configuration = `daemon off; master_process off; pid ${folder}/pid; error_log stderr; events {}
    http { access_log off; client_body_temp_path ${folder}; proxy_temp_path ${folder}; fastcgi_temp_path ${folder};
      uwsgi_temp_path ${folder}; scgi_temp_path ${folder}; client_max_body_size 1k;
      server { listen 127.0.0.1:${port}; root ${folder}; location = /close { keepalive_timeout 0; return 200 "bye"; }
        location = /echo { return 200 $request_uri$http_x_a; } location = /old { chunked_transfer_encoding off; return 204; } } }`;
  await writeFile(join(folder, "nginx.conf"), configuration);
  const nginx = spawn(NGINX, ["-c", join(folder, "nginx.conf"), "-p", folder, "-e", "stderr"], {
    stdio: "ignore",
  });
  const ended = once(nginx, "exit");
  cleanups.push(async () => {
    nginx.kill();
    await ended;
  });
  const { client, closed } = await eventually(() => dial(port));
  const expectations = [
    ["/large", 200, LARGE],
    ["/echo", 200, Buffer.from("/echov\xe4lue", "latin1")],
    ["/old", 204, Buffer.alloc(0)],
    ["/missing", 404, undefined],
    ["/close", 200, Buffer.from("bye")],
  ] as const;
  for (const [path, status, body] of expectations) {
    assert.equal(client.capacity, 1, path);
    const answer = new Answer();
    client.send(head(port, path, { headers: HeaderFields.of(["x-a", "v\xe4lue"]) }), true, answer);
    const received = await answer.whole();
    assert.equal(answer.status, status);
    if (body !== undefined) assert.equal(hash(received), hash(body), path);
  }
  await eventually(closed);
  // A response long before the request's end.
  const refusing = await dial(port);
  const early = new Answer();
  const headers = HeaderFields.of(["content-length", "2000"]);
  const exchange = refusing.client.send(head(port, "/large", { method: "PUT", headers }), false, early);
  exchange.write(Buffer.alloc(1000), false);
  await early.whole();
  assert.equal(early.status, 413);
  exchange.abort("cancelled");
  await eventually(refusing.closed);
});
