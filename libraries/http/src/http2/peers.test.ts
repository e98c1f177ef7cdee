/** Real peers over real sockets, both ways: node:http2 (nghttp2). */
import assert from "node:assert/strict";
import { once } from "node:events";
import http2 from "node:http2";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { test } from "node:test";
import { eventually } from "@meltemi/testkit";
import type { BodyReceiver, ClientConnection, ServerExchange } from "../exchange.ts";
import { HeaderFields } from "../headers.ts";
import { Recorder, turn } from "./frames.fixture.ts";
import { head, listen, OurServer, ourClient } from "./peers.fixture.ts";

/** Sends back what it gets, with its end. */
class Echo implements BodyReceiver {
  readonly #exchange: ServerExchange;
  constructor(exchange: ServerExchange) {
    this.#exchange = exchange;
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

const echo = (exchange: ServerExchange): void => {
  exchange.receive(new Echo(exchange));
  const { method, authority, path, headers } = exchange.request;
  const fields = HeaderFields.of(
    ["x-said", `${method} ${authority} ${path}`],
    ["x-cookie", headers.get("cookie") ?? ""],
  );
  exchange.respond({ status: exchange.request.upgrade === undefined ? 200 : 101, headers: fields }, false);
};

test("node:http2 as client: heads, cookies, trailers, and a body both ways at once", async () => {
  await using server = await OurServer.start(echo);
  const client = http2.connect(`http://127.0.0.1:${server.port}`);
  const body = Buffer.alloc(3_000_000, "0123456789");
  const request = client.request(
    { ":method": "POST", ":path": "/a?b", cookie: ["a=b", "c=d"] },
    { waitForTrailers: true },
  );
  request.on("wantTrailers", () => request.sendTrailers({ "x-sum": "1" }));
  let response: http2.IncomingHttpHeaders & http2.IncomingHttpStatusHeader = {};
  let trailers: http2.IncomingHttpHeaders = {};
  request.on("response", (fields) => {
    response = fields;
  });
  request.on("trailers", (fields) => {
    trailers = fields;
  });
  const chunks: Buffer[] = [];
  request.on("data", (chunk: Buffer) => chunks.push(chunk));
  const ended = new Promise((done) => request.once("end", done));
  request.end(body);
  await ended;
  assert.equal(response["x-said"], `POST 127.0.0.1:${server.port} /a?b`);
  assert.deepEqual([response[":status"], response["x-cookie"]], [200, "a=b; c=d"]);
  assert.equal(Buffer.concat(chunks).equals(body), true);
  assert.equal(trailers["x-sum"], "1");
  await new Promise<void>((done) => client.close(done));
});

test("node:http2 as client: many requests at once, 100-continue, HEAD, extended CONNECT, reset", async () => {
  const faults: string[] = [];
  await using server = await OurServer.start((exchange) => {
    if (exchange.request.path !== "/hang") return echo(exchange);
    exchange.receive({
      onData: () => {},
      onEnd: () => {},
      onWritable: () => {},
      onFault: (fault) => void faults.push(fault.kind),
    });
  });
  const client = http2.connect(`http://127.0.0.1:${server.port}`);
  await new Promise<void>((done) => client.once("remoteSettings", () => done()));
  assert.equal(client.remoteSettings.enableConnectProtocol, true);
  const answers = await Promise.all(
    Array.from({ length: 300 }, async (_, index) => {
      const stream = client.request({ ":path": `/${index}` });
      let said: unknown;
      stream.on("response", (fields) => {
        said = fields["x-said"];
      });
      await new Promise((done) => stream.resume().once("end", done));
      return said;
    }),
  );
  assert.deepEqual(
    answers,
    answers.map((_, index) => `GET 127.0.0.1:${server.port} /${index}`),
  );
  const waiting = client.request({ ":method": "POST", expect: "100-continue" });
  await new Promise<void>((done) => waiting.once("continue", done));
  waiting.end("x");
  await new Promise((done) => waiting.resume().once("end", done));
  const socket = client.request({ ":method": "CONNECT", ":protocol": "websocket", ":path": "/chat" });
  socket.write("ping");
  assert.equal(String(await new Promise((done) => socket.once("data", done))), "ping");
  socket.end();
  await new Promise((done) => socket.once("end", done));
  const hanging = client.request({ ":path": "/hang" });
  hanging.on("error", () => {});
  await turn();
  hanging.close(http2.constants.NGHTTP2_CANCEL);
  await eventually(() => faults.length === 1);
  assert.deepEqual(faults, ["reset"]);
  await new Promise<void>((done) => client.close(done));
});

/** A server of Node's own. */
async function nodeServer(
  onStream: (stream: http2.ServerHttp2Stream, headers: http2.IncomingHttpHeaders) => void,
  settings: http2.Settings = {},
): Promise<{ port: number; server: http2.Http2Server; sessions: http2.ServerHttp2Session[] }> {
  const server = http2.createServer({ settings });
  const sessions: http2.ServerHttp2Session[] = [];
  server.on("session", (session) => sessions.push(session));
  server.on("stream", (stream, headers) =>
    onStream(
      stream.on("error", () => {}),
      headers,
    ),
  );
  return { port: await listen(server), server, sessions };
}

const stop = (client: ClientConnection, server: http2.Http2Server): Promise<unknown> => {
  client.close();
  return new Promise((done) => server.close(done));
};

test("node:http2 as server: body, trailers, early hints, refused and reset streams", async () => {
  const { port, server } = await nodeServer((stream, headers) => {
    if (headers[":path"] === "/refused") return stream.close(http2.constants.NGHTTP2_REFUSED_STREAM);
    if (headers[":path"] === "/broken") {
      stream.respond({ ":status": 200 });
      stream.write("x");
      return void stream.destroy(new Error("broken"));
    }
    stream.additionalHeaders({ ":status": 103, link: "x" });
    stream.respond({ ":status": 200, "x-te": String(headers["te"]) }, { waitForTrailers: true });
    stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
    stream.pipe(stream);
  });
  const client = await ourClient(port);
  const response = new Recorder();
  const exchange = client.send(
    head({ method: "POST", headers: HeaderFields.of(["te", "trailers"]) }),
    false,
    response,
  );
  for (let count = 0; count < 100; count++) exchange.write(Buffer.alloc(10_000, "x"), false);
  exchange.end();
  await eventually(() => response.log.includes("end"));
  assert.deepEqual(response.log, ["informational 103", "response 200", "end"]);
  assert.deepEqual([response.bytes, response.trailers?.flat], [1_000_000, ["grpc-status", "0"]]);
  assert.equal(response.response?.headers.get("x-te"), "trailers");
  const refused = new Recorder();
  client.send(head({ path: "/refused" }), true, refused);
  const broken = new Recorder();
  client.send(head({ path: "/broken" }), true, broken);
  await eventually(() => refused.fault && broken.fault);
  assert.deepEqual([refused.fault?.kind, broken.log], ["refused", ["response 200", "fault reset"]]);
  await stop(client, server);
});

test("node:http2 as server: its limit of streams is our capacity, and its drain loses nothing", async () => {
  const streams: http2.ServerHttp2Stream[] = [];
  const { port, server, sessions } = await nodeServer((stream) => streams.push(stream), {
    maxConcurrentStreams: 3,
  });
  const state: { draining?: boolean; closed?: boolean } = {};
  const client = await ourClient(port, state);
  await eventually(() => client.capacity === 3);
  const responses = [new Recorder(), new Recorder(), new Recorder()];
  for (const response of responses) client.send(head(), true, response);
  assert.equal(client.capacity, 0);
  const over = new Recorder();
  client.send(head(), true, over);
  await eventually(() => over.fault);
  assert.equal(over.fault?.kind, "refused");
  await eventually(() => streams.length === 3);
  sessions[0]?.close();
  await eventually(() => state.draining);
  for (const stream of streams) stream.respond({ ":status": 204 }, { endStream: true });
  await eventually(() => state.closed);
  assert.deepEqual(
    responses.map(({ log }) => log),
    Array(3).fill(["response 204 ended"]),
  );
  await stop(client, server);
});

test("node:http2 as server: an upgrade where it is served, and a refusal where it is not", async () => {
  for (const [enableConnectProtocol, isEarly] of [
    [true, false],
    [true, true],
    [false, true],
  ] as const) {
    const { port, server } = await nodeServer(
      (stream, headers) => {
        assert.deepEqual([headers[":method"], headers[":protocol"]], ["CONNECT", "websocket"]);
        stream.respond({ ":status": 200 });
        stream.pipe(stream);
      },
      { enableConnectProtocol },
    );
    const client = await ourClient(port);
    const probe = new Recorder();
    if (!isEarly) await eventually(() => client.extendedConnect);
    const exchange = client.send(head({ upgrade: "websocket" }), false, probe);
    exchange.write(Buffer.from("hi"), false);
    await eventually(() => probe.text === "hi" || probe.fault);
    assert.deepEqual(probe.log, enableConnectProtocol ? ["response 101"] : ["fault refused"]);
    exchange.abort("cancelled");
    await stop(client, server);
  }
});

test("an upgrade that waits for a server's SETTINGS: given up, and refused when there will be none", async () => {
  const silent = createServer().listen(0, "127.0.0.1");
  await once(silent, "listening");
  const accepted = once(silent, "connection");
  const client = await ourClient((silent.address() as AddressInfo).port);
  const [givenUp, refused] = [new Recorder(), new Recorder()];
  const exchange = client.send(head({ upgrade: "websocket" }), false, givenUp);
  client.send(head({ upgrade: "websocket" }), false, refused);
  exchange.abort("cancelled");
  const [socket] = (await accepted) as [Socket];
  socket.destroy();
  await eventually(() => refused.fault);
  assert.deepEqual([givenUp.log, refused.log], [[], ["fault refused"]]);
  client.close();
  silent.close();
});

test("a server that dies in the middle is a fault, and the owner hears once", async () => {
  const { port, server, sessions } = await nodeServer((stream) => stream.respond({ ":status": 200 }));
  const state: { draining?: boolean; closed?: boolean } = {};
  const client = await ourClient(port, state);
  const response = new Recorder();
  client.send(head(), true, response);
  await eventually(() => response.response);
  sessions[0]?.socket.destroy();
  await eventually(() => state.closed);
  assert.deepEqual([response.log, client.capacity], [["response 200", "fault reset"], 0]);
  await stop(client, server);
});
