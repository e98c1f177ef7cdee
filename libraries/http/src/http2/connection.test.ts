/** Two connections joined in memory: exchanges, flow control, tunnels, drain. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { frame, headersFrame, parseFrames, setting, uint32 } from "@meltemi/testkit";
import type { ServerExchange } from "../exchange.ts";
import { HeaderFields } from "../headers.ts";
import type { ClientStream } from "./client-stream.ts";
import { ErrorCode, Flag, FrameType, Setting } from "./constants.ts";
import {
  dataFrame,
  Endpoint,
  encoded,
  exchangeBytes,
  GET,
  POST,
  PREFACE,
  Recorder,
  turn,
} from "./frames.fixture.ts";
import type { Http2Options } from "./options.ts";

const KIB = 1024;

class Joined {
  readonly client: Endpoint;
  readonly server: Endpoint;

  constructor(options: Partial<Http2Options> = {}) {
    this.client = new Endpoint("client", options);
    this.server = new Endpoint("server", options);
    exchangeBytes(this.client, this.server);
  }

  async carry(): Promise<void> {
    for (let count = 0; count < 3; count++) {
      exchangeBytes(this.client, this.server);
      await turn();
    }
  }

  /** A request that the server has received. */
  async open(
    head: Parameters<Endpoint["send"]>[0] = { method: "POST" },
    ended = false,
  ): Promise<{ near: ClientStream; far: ServerExchange; got: Recorder; response: Recorder }> {
    const response = new Recorder();
    const near = this.client.send(head, ended, response);
    await this.carry();
    const far = this.server.exchanges.at(-1);
    assert.ok(far);
    const got = new Recorder();
    far.receive(got);
    await this.carry();
    return { near, far, got, response };
  }
}

const ok = (...fields: [string, string][]): { status: number; headers: HeaderFields } => ({
  status: 200,
  headers: HeaderFields.of(...fields),
});

test("a request arrives as it was sent, and so does the response", async () => {
  const joined = new Joined();
  const headers = HeaderFields.of(["user-agent", "x"], ["te", "trailers"], ["a", ""], ["a", "b"]);
  const { near, far, got, response } = await joined.open({ method: "PUT", path: "/a?b=c", headers });
  const { request } = far;
  assert.deepEqual(
    [request.version, request.method, request.scheme, request.authority, request.path],
    ["HTTP/2", "PUT", "http", "a.example", "/a?b=c"],
  );
  assert.deepEqual(request.headers.flat, headers.flat);
  near.write(Buffer.from("up"), false);
  near.end(HeaderFields.of(["t", "1"]));
  await joined.carry();
  assert.deepEqual([got.text, got.log, got.trailers?.flat], ["up", ["end"], ["t", "1"]]);
  far.inform(103, HeaderFields.of(["link", "x"]));
  far.respond(ok(["x", "y"]), false);
  far.write(Buffer.from("down"), false);
  far.end(HeaderFields.of(["grpc-status", "0"]));
  await joined.carry();
  assert.deepEqual(response.log, ["informational 103", "response 200", "end"]);
  assert.deepEqual([response.text, response.trailers?.flat], ["down", ["grpc-status", "0"]]);
  assert.deepEqual([joined.client.http2.streams.size, joined.server.http2.streams.size], [0, 0]);
});

test("cookie crumbs come together", () => {
  const server = new Endpoint("server");
  const crumbs = [...GET, ["cookie", "a=b"], ["x", "y"], ["cookie", "c=d"], ["cookie", "e=f"]] as const;
  server.receive(PREFACE, headersFrame(1, crumbs, true));
  assert.deepEqual(server.exchanges[0]?.request.headers.flat, ["cookie", "a=b; c=d; e=f", "x", "y"]);
});

test("host becomes the authority and leaves the headers", () => {
  const server = new Endpoint("server");
  const fields = [...GET.filter(([name]) => name !== ":authority"), ["host", "h:80"], ["a", "b"]] as const;
  server.receive(PREFACE, headersFrame(1, fields, true));
  const request = server.exchanges[0]?.request;
  assert.deepEqual([request?.authority, request?.headers.flat], ["h:80", ["a", "b"]]);
});

test("a request without a body ends when it is received, and a response without one with its head", async () => {
  const joined = new Joined();
  const { far, got, response } = await joined.open({}, true);
  assert.deepEqual([far.requestEnded, got.log], [true, ["end"]]);
  far.respond({ status: 204, headers: new HeaderFields() }, true);
  await joined.carry();
  assert.deepEqual(response.log, ["response 204 ended"]);
});

test("no callback runs inside receive, send or resume", () => {
  const server = new Endpoint("server");
  server.receive(PREFACE, headersFrame(1, POST), dataFrame(1, 5, true));
  const recorder = new Recorder();
  server.exchanges[0]?.receive(recorder);
  assert.deepEqual([recorder.bytes, recorder.log], [0, []]);
});

test("the client waits for 100 until its body is asked for, and is told once", async () => {
  const joined = new Joined();
  const response = new Recorder();
  joined.client.send(
    { method: "POST", headers: HeaderFields.of(["expect", "100-continue"]) },
    false,
    response,
  );
  await joined.carry();
  const [far] = joined.server.exchanges;
  assert.deepEqual([far?.request.expectsContinue, response.log], [true, []]);
  far?.receive(new Recorder());
  await joined.carry();
  assert.deepEqual(response.log, ["informational 100"]);
  const second = new Recorder();
  // As an HTTP/1.1 server hands it on.
  joined.client.send({ method: "POST", expectsContinue: true }, false, second);
  await joined.carry();
  joined.server.exchanges[1]?.inform(100, new HeaderFields());
  joined.server.exchanges[1]?.receive(new Recorder());
  await joined.carry();
  assert.deepEqual(second.log, ["informational 100"]);
});

test("an upgrade travels as extended CONNECT; what comes before it is accepted is kept back; each side ends alone", async () => {
  const joined = new Joined();
  const headers = HeaderFields.of(["sec-websocket-key", "k"], ["sec-websocket-version", "13"]);
  const { near, far, got, response } = await joined.open({ upgrade: "websocket", path: "/chat", headers });
  const { request } = far;
  assert.deepEqual([request.method, request.upgrade, request.path], ["GET", "websocket", "/chat"]);
  assert.deepEqual(request.headers.flat, ["sec-websocket-version", "13"]);
  near.write(Buffer.from("early"), false);
  await joined.carry();
  assert.equal(got.text, "");
  far.respond({ status: 101, headers: HeaderFields.of(["sec-websocket-accept", "a"]) }, false);
  await joined.carry();
  assert.deepEqual(
    [got.text, response.log, response.response?.headers.flat],
    ["early", ["response 101"], []],
  );
  far.end();
  await joined.carry();
  assert.deepEqual(response.log, ["response 101", "end"]);
  near.write(Buffer.from(" late"), false);
  near.end();
  await joined.carry();
  assert.deepEqual([got.text, got.log], ["early late", ["end"]]);
  assert.equal(joined.server.http2.streams.size, 0);
});

for (const [status, want] of [
  [200, 502],
  [204, 502],
  [403, 403],
] as const)
  test(`${status} to an upgrade, which is no upgrade, is told as ${want}`, async () => {
    const joined = new Joined();
    const { far, response } = await joined.open({ upgrade: "websocket" });
    far.respond({ status, headers: new HeaderFields() }, true);
    await joined.carry();
    assert.deepEqual(response.log, [`response ${want} ended`]);
  });

test("plain CONNECT is a tunnel after 200", async () => {
  const joined = new Joined();
  const { near, far, got, response } = await joined.open({ method: "CONNECT", authority: "a:1", path: "" });
  assert.deepEqual([far.request.authority, far.request.path], ["a:1", ""]);
  far.respond(ok(), false);
  far.write(Buffer.from("down"), false);
  far.end();
  near.write(Buffer.from("up"), false);
  await joined.carry();
  assert.deepEqual([got.text, response.text, response.log], ["up", "down", ["response 200", "end"]]);
  near.end();
  await joined.carry();
  assert.equal(joined.client.http2.streams.size + joined.server.http2.streams.size, 0);
});

test("a response that ends first ends the exchange, and the client is asked to stop without a fault", async () => {
  const joined = new Joined({ streamWindowBytes: 65_535 });
  const { near, far, got, response } = await joined.open();
  near.write(Buffer.alloc(200 * KIB), false);
  far.pause();
  far.respond(ok(), false);
  far.end();
  await joined.carry();
  assert.deepEqual(response.log, ["response 200", "end"]);
  const before = got.bytes;
  near.write(Buffer.alloc(10), false);
  near.end();
  await joined.carry();
  assert.deepEqual([got.bytes, got.log], [before, []]);
  assert.deepEqual([joined.client.http2.streams.size, joined.server.http2.streams.size], [0, 0]);
});

test("bodies that nobody read give their credit back: a connection serves for ever", async () => {
  const joined = new Joined({ connectionWindowBytes: 128 * KIB, streamWindowBytes: 65_535 });
  for (let count = 0; count < 20; count++) {
    const response = new Recorder();
    const near = joined.client.send({ method: "POST" }, false, response);
    near.write(Buffer.alloc(60 * KIB), false);
    near.end();
    await joined.carry();
    joined.server.exchanges.at(-1)?.respond({ status: 403, headers: new HeaderFields() }, true);
    await joined.carry();
    assert.deepEqual(response.log, ["response 403 ended"], `request ${count}`);
  }
});

test("a reader that stopped holds the writer at its window, and lets it go on", async () => {
  const joined = new Joined({ streamWindowBytes: 256 * KIB });
  const { near, far, got } = await joined.open();
  far.pause();
  let written = 0;
  for (let more = true; more; written += 64 * KIB) {
    more = near.write(Buffer.alloc(64 * KIB), true);
    exchangeBytes(joined.client, joined.server);
  }
  assert.equal(written, 320 * KIB);
  assert.equal(near.bufferedBytes, 64 * KIB);
  far.resume();
  await joined.carry();
  assert.equal(got.bytes, 320 * KIB);
  assert.equal(near.bufferedBytes, 0);
});

test("the same towards the client, and the writer hears when it may go on", async () => {
  const joined = new Joined();
  const { near, far, got, response } = await joined.open({}, true);
  far.respond(ok(), false);
  await joined.carry();
  near.pause();
  while (far.write(Buffer.alloc(64 * KIB), true)) exchangeBytes(joined.client, joined.server);
  far.end(HeaderFields.of(["t", "u"]));
  assert.deepEqual([got.writables, response.log], [0, ["response 200"]]);
  near.resume();
  await joined.carry();
  assert.equal(response.trailers?.get("t"), "u");
  assert.equal(response.bytes % (64 * KIB), 0);
  assert.equal(joined.server.http2.streams.size, 0);
});

test("one stalled exchange does not hold the others", async () => {
  const joined = new Joined();
  const stalled = await joined.open();
  stalled.far.pause();
  while (stalled.near.write(Buffer.alloc(64 * KIB), true)) exchangeBytes(joined.client, joined.server);
  const lively = await joined.open();
  for (let count = 0; count < 200; count++) {
    lively.near.write(Buffer.alloc(64 * KIB), true);
    exchangeBytes(joined.client, joined.server);
  }
  assert.equal(lively.got.bytes, 200 * 64 * KIB);
});

const ABORTS = [
  ["cancelled", ErrorCode.cancel],
  ["upstream-failed", ErrorCode.internalError],
  ["limit", ErrorCode.enhanceYourCalm],
  ["refused", ErrorCode.refusedStream],
] as const;
for (const [reason, code] of ABORTS) {
  test(`a server's abort because of ${reason} is a fault for the client, and for nobody else`, async () => {
    const joined = new Joined();
    const { far, got, response } = await joined.open();
    far.abort(reason);
    await joined.carry();
    if (reason === "refused") assert.equal(response.fault?.kind, "refused");
    else assert.equal(response.fault?.kind === "reset" && response.fault.http2Code, code);
    assert.deepEqual(got.log, []);
  });
  test(`a client's abort because of ${reason} is a fault for the server, and for nobody else`, async () => {
    const joined = new Joined();
    const { near, got, response } = await joined.open();
    near.abort(reason);
    await joined.carry();
    assert.equal(got.fault?.kind === "reset" && got.fault.http2Code, code);
    assert.deepEqual(response.log, []);
  });
}

test("a reset before the body is asked for is told as soon as it is", async () => {
  const server = new Endpoint("server");
  server.receive(PREFACE, headersFrame(1, POST), frame(FrameType.rstStream, 0, 1, uint32(ErrorCode.cancel)));
  const recorder = new Recorder();
  server.exchanges[0]?.receive(recorder);
  await turn();
  assert.deepEqual(recorder.log, ["fault reset"]);
});

test("a drain refuses nothing that is under way, and says GOAWAY twice", async () => {
  const joined = new Joined();
  const { far, response } = await joined.open({}, true);
  joined.server.http2.goaway();
  // Sent before the client can know.
  const crossing = new Recorder();
  joined.client.send({}, true, crossing);
  await joined.carry();
  assert.equal(joined.server.exchanges.length, 2);
  assert.equal(joined.server.http2.drainNoticed, true);
  assert.equal(joined.client.http2.capacity, 0);
  for (const exchange of [far, joined.server.exchanges[1]]) exchange?.respond(ok(), true);
  await joined.carry();
  assert.deepEqual([response.log, crossing.log], [["response 200 ended"], ["response 200 ended"]]);
});

test("capacity is what the server permits, and no more than we ask of one connection", () => {
  const client = new Endpoint("client", { maxStreams: 50 });
  assert.equal(client.http2.capacity, 50);
  client.receive(frame(FrameType.settings, 0, 0, setting(Setting.maxConcurrentStreams, 2)));
  client.send({}, true, new Recorder());
  assert.equal(client.http2.capacity, 1);
  client.receive(frame(FrameType.settings, 0, 0, setting(Setting.maxConcurrentStreams, 0)));
  assert.equal(client.http2.capacity, 0);
});

test("a header block in parts survives its chunks being overwritten", () => {
  const server = new Endpoint("server");
  server.receive(PREFACE);
  const whole = encoded([...GET, ["x", "b".repeat(100)]]);
  const first = frame(FrameType.headers, Flag.endStream, 1, whole.subarray(0, 50));
  server.http2.receive(first, 0);
  assert.equal(server.http2.settled, false);
  first.fill(0xff);
  server.http2.receive(frame(FrameType.continuation, Flag.endHeaders, 1, whole.subarray(50)), 0);
  assert.equal(server.http2.settled, true);
  assert.deepEqual(server.exchanges[0]?.request.headers.flat, ["x", "b".repeat(100)]);
});

test("a head larger than a frame of the peer goes in several", async () => {
  const joined = new Joined();
  const big = Array.from({ length: 50 }, (_, index): [string, string] => [`x-${index}`, "v".repeat(1000)]);
  joined.client.send({ headers: HeaderFields.of(...big) }, true, new Recorder());
  joined.client.http2.scheduler.peerFrameBytes = 16_384;
  joined.client.send({ headers: HeaderFields.of(...big) }, true, new Recorder());
  const types = parseFrames(joined.client.takeOutput()).map((one) => one.type);
  assert.deepEqual(types.slice(-4), [FrameType.headers, ...Array(3).fill(FrameType.continuation)]);
});

test("one-byte frames held for a stalled reader cost about their size", () => {
  const server = new Endpoint("server");
  server.receive(PREFACE, headersFrame(1, POST));
  for (let count = 0; count < 20_000; count++) server.receive(dataFrame(1, 1));
  assert.equal(server.http2.streams.get(1)?.bufferedBytes, 20_000);
});
