/** Two connections joined in memory: streams, flow control, half-close, drain; and any bytes at all. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ErrorCode, Flag, FrameType, Setting } from "@meltemi/http/http2-transport";
import type { ByteConsumer, ChannelFault } from "@meltemi/l4";
import { frame, headersFrame, parseFrames, setting, uint32 } from "@meltemi/testkit";
import fc from "fast-check";
import { CONNECT, Endpoint, exchange, PREFACE } from "./frames.fixture.ts";
import type { HeaderFields } from "./headers.ts";
import type { HboneOptions } from "./options.ts";
import { openTunnel, type TunnelStream } from "./tunnel-stream.ts";

const KIB = 1024;
const microtasks = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

class Sink implements ByteConsumer {
  bytes = 0;
  ended = false;
  closed = false;
  drains = 0;
  fault: ChannelFault | undefined;
  onData(chunk: Uint8Array): void {
    this.bytes += chunk.length;
  }
  onEnd(): void {
    this.ended = true;
  }
  onDrain(): void {
    this.drains++;
  }
  onClosed(): void {
    this.closed = true;
  }
  onFault(fault: ChannelFault): void {
    this.fault = fault;
  }
}

interface Tunnel {
  readonly client: Endpoint;
  readonly server: Endpoint;
  readonly near: TunnelStream;
  readonly far: TunnelStream;
  readonly nearSink: Sink;
  readonly farSink: Sink;
}

function join(options: Partial<HboneOptions> = {}): { client: Endpoint; server: Endpoint } {
  const pair = { client: new Endpoint("client", options), server: new Endpoint("server", options) };
  exchange(pair.client, pair.server);
  return pair;
}

function openOn(pair: { client: Endpoint; server: Endpoint }): Tunnel {
  const { client, server } = pair;
  let status = 0;
  const near = openTunnel(client.http2, CONNECT, {
    onResponse: (code) => {
      status = code;
    },
    onFault: (fault) => assert.fail(JSON.stringify(fault)),
  });
  exchange(client, server);
  const far = server.requests.at(-1)?.stream;
  assert.ok(near !== undefined && far !== undefined);
  far.respond(200, [], false);
  exchange(client, server);
  assert.equal(status, 200);
  const nearSink = new Sink();
  const farSink = new Sink();
  near.open(nearSink);
  far.open(farSink);
  return { client, server, near, far, nearSink, farSink };
}

test("a request carries authority and headers, the answer its status and headers", () => {
  const { client, server } = join();
  let answer: readonly [number, HeaderFields] | undefined;
  const watcher = {
    onResponse: (status: number, headers: HeaderFields) => {
      answer = [status, headers];
    },
    onFault: () => {},
  };
  openTunnel(client.http2, [...CONNECT, ["baggage", "a=b"], ["baggage", ""]], watcher);
  exchange(client, server);
  assert.equal(server.requests[0]?.authority, "10.0.0.1:80");
  assert.deepEqual(server.requests[0]?.headers, [
    ["baggage", "a=b"],
    ["baggage", ""],
  ]);
  server.requests[0]?.stream.respond(503, [["x", "y"]], true);
  exchange(client, server);
  assert.deepEqual(answer, [503, [["x", "y"]]]);
  assert.equal(server.http2.streams.size, 0);
});

test("bytes and ends travel each way on their own", async () => {
  const { client, server, near, far, nearSink, farSink } = openOn(join());
  near.write(Buffer.alloc(1000), true);
  near.endWrite();
  exchange(client, server);
  await microtasks();
  assert.deepEqual([farSink.bytes, farSink.ended, farSink.closed], [1000, true, false]);
  far.write(Buffer.alloc(500), true);
  exchange(client, server);
  assert.deepEqual([nearSink.bytes, nearSink.ended], [500, false]);
  far.endWrite();
  exchange(client, server);
  await microtasks();
  assert.deepEqual([nearSink.ended, nearSink.closed, farSink.closed], [true, true, true]);
  assert.deepEqual([client.http2.streams.size, server.http2.streams.size], [0, 0]);
});

test("a reader that stopped holds the writer at its window, and lets it go on", async () => {
  const { client, server, near, far, farSink } = openOn(join({ streamWindowBytes: 256 * KIB }));
  far.pause();
  let written = 0;
  while (near.write(Buffer.alloc(64 * KIB), true)) {
    written += 64 * KIB;
    exchange(client, server);
  }
  exchange(client, server);
  assert.equal(written, 256 * KIB);
  assert.equal(far.bufferedBytes, 256 * KIB);
  assert.equal(near.bufferedBytes, 64 * KIB);
  far.resume();
  await microtasks();
  exchange(client, server);
  assert.equal(farSink.bytes, 320 * KIB);
  assert.equal(near.bufferedBytes, 0);
});

test("one stalled stream does not hold the others", async () => {
  const pair = join();
  const stalled = openOn(pair);
  const lively = openOn(pair);
  stalled.far.pause();
  while (stalled.near.write(Buffer.alloc(64 * KIB), true)) exchange(pair.client, pair.server);
  for (let count = 0; count < 1000; count++) {
    lively.near.write(Buffer.alloc(64 * KIB), true);
    exchange(pair.client, pair.server);
  }
  assert.equal(lively.farSink.bytes, 1000 * 64 * KIB);
  assert.equal(stalled.far.bufferedBytes, 4096 * KIB);
});

test("lent bytes that wait are the writer's to overwrite", () => {
  const { client, server, near, far } = openOn(join({ streamWindowBytes: 65_535 }));
  const seen: Uint8Array[] = [];
  far.pause();
  const buffer = Buffer.alloc(100_000, 1);
  assert.equal(near.write(buffer, true), false);
  buffer.fill(2);
  exchange(client, server);
  far.open({
    ...new Sink(),
    onData: (chunk) => void seen.push(chunk),
    onEnd: () => {},
    onDrain: () => {},
    onClosed: () => {},
    onFault: () => {},
  });
  return microtasks().then(async () => {
    exchange(client, server);
    await microtasks();
    const bytes = Buffer.concat(seen);
    assert.equal(bytes.length, 100_000);
    assert.ok(bytes.every((byte) => byte === 1));
  });
});

test("a header block in parts survives its chunks being overwritten", () => {
  const server = new Endpoint("server");
  server.receive(PREFACE);
  const whole = headersFrame(1, [...CONNECT, ["baggage", "b".repeat(100)]]);
  const block = whole.subarray(9);
  const first = frame(FrameType.headers, 0, 1, block.subarray(0, 50));
  server.http2.receive(first, 0);
  first.fill(0xff);
  server.http2.receive(frame(FrameType.continuation, Flag.endHeaders, 1, block.subarray(50)), 0);
  assert.deepEqual(server.requests[0]?.headers, [["baggage", "b".repeat(100)]]);
});

test("streams that wait take turns", () => {
  const pair = join();
  const first = openOn(pair);
  const second = openOn(pair);
  first.near.write(Buffer.alloc(3 * 1024 * KIB), false);
  second.near.write(Buffer.alloc(128 * KIB), false);
  const order = [];
  for (let output = pair.client.takeOutput(); output.length > 0; output = pair.client.takeOutput()) {
    for (const one of parseFrames(output)) if (one.type === FrameType.data) order.push(one.streamId);
  }
  const last = order.lastIndexOf(second.near.id);
  assert.ok(last > 0 && last < 16, `second stream's last frame is number ${last}`);
});

test("one-byte frames held for a stalled reader cost about their size", () => {
  const server = new Endpoint("server");
  server.receive(PREFACE, headersFrame(1, CONNECT));
  const stream = server.requests[0]?.stream;
  for (let count = 0; count < 20_000; count++) server.receive(frame(FrameType.data, 0, 1, Buffer.from([1])));
  assert.equal(stream?.bufferedBytes, 20_000);
});

test("reset both ways", async () => {
  const first = openOn(join());
  first.near.abort("policy");
  exchange(first.client, first.server);
  assert.deepEqual(first.farSink.fault, { kind: "reset", http2Code: ErrorCode.connectError });
  const second = openOn(join());
  second.far.abort("other-side-failed");
  exchange(second.client, second.server);
  assert.deepEqual(second.nearSink.fault, { kind: "reset", http2Code: ErrorCode.connectError });
  assert.equal(second.farSink.fault, undefined);
  await microtasks();
  assert.equal(second.nearSink.closed || second.farSink.closed, false);
});

test("RST_STREAM with NO_ERROR is an end, what came before is kept", async () => {
  const server = new Endpoint("server");
  server.receive(PREFACE, headersFrame(1, CONNECT), frame(FrameType.data, 0, 1, Buffer.alloc(10)));
  const stream = server.requests[0]?.stream;
  stream?.respond(200, [], false);
  server.receive(frame(FrameType.rstStream, 0, 1, uint32(ErrorCode.noError)));
  const sink = new Sink();
  stream?.open(sink);
  await microtasks();
  assert.deepEqual([sink.bytes, sink.ended, sink.closed], [10, true, false]);
  server.takeOutput();
  stream?.endWrite();
  await microtasks();
  assert.deepEqual([sink.closed, sink.fault], [true, undefined]);
  assert.equal(server.takeOutput().length, 0, "nothing is sent on a stream that was reset");
});

test("after RST_STREAM with NO_ERROR bytes that nobody will read are a reset", async () => {
  for (const [title, windowBytes] of [
    ["written before, and waiting for a window", 0],
    ["written afterwards", 100],
  ] as const) {
    const server = new Endpoint("server");
    server.receive(PREFACE, frame(FrameType.settings, 0, 0, setting(Setting.initialWindowSize, windowBytes)));
    server.receive(headersFrame(1, CONNECT));
    const stream = server.requests[0]?.stream;
    stream?.respond(200, [], false);
    const sink = new Sink();
    stream?.open(sink);
    if (windowBytes === 0) stream?.write(Buffer.alloc(10), false);
    server.receive(frame(FrameType.rstStream, 0, 1, uint32(ErrorCode.noError)));
    if (windowBytes > 0) stream?.write(Buffer.alloc(10), false);
    await microtasks();
    assert.deepEqual(sink.fault, { kind: "reset", http2Code: ErrorCode.noError }, title);
  }
});

test("a reset before open is told on open", async () => {
  const server = new Endpoint("server");
  server.receive(PREFACE, headersFrame(1, CONNECT));
  const stream = server.requests[0]?.stream;
  server.receive(frame(FrameType.rstStream, 0, 1, uint32(ErrorCode.cancel)));
  stream?.respond(200, [], false);
  const sink = new Sink();
  stream?.open(sink);
  await microtasks();
  assert.deepEqual(sink.fault, { kind: "reset", http2Code: ErrorCode.cancel });
});

test("bytes of a stream that was reset give their credit back to the connection", () => {
  const server = new Endpoint("server");
  server.receive(PREFACE);
  for (let id = 1; id < 4000; id += 2) {
    server.receive(headersFrame(id, CONNECT), frame(FrameType.data, 0, id, Buffer.alloc(60_000)));
    server.requests.pop()?.stream.abort("policy");
    server.receive(frame(FrameType.data, Flag.padded, id, Buffer.alloc(1000)));
    server.takeOutput();
  }
  assert.equal(server.failure, undefined);
});

test("GOAWAY: known streams go on, unseen ones may be tried elsewhere, none is opened", async () => {
  const pair = join();
  const tunnel = openOn(pair);
  const faults: ChannelFault[] = [];
  const watcher = { onResponse: () => {}, onFault: (fault: ChannelFault) => void faults.push(fault) };
  openTunnel(pair.client.http2, CONNECT, watcher);
  pair.client.receive(frame(FrameType.goaway, 0, 0, uint32(tunnel.near.id, 0)));
  assert.deepEqual(faults, [{ kind: "reset", http2Code: ErrorCode.refusedStream }]);
  assert.equal(pair.client.http2.capacity > 0, false);
  assert.equal(openTunnel(pair.client.http2, CONNECT, watcher), undefined);
  tunnel.near.write(Buffer.alloc(10), true);
  exchange(pair.client, pair.server);
  assert.equal(tunnel.farSink.bytes, 10);
});

test("a draining server lets streams under way in, and names the last one after a round trip", () => {
  const { client, server } = join();
  server.http2.goaway();
  openTunnel(client.http2, CONNECT, { onResponse: () => {}, onFault: () => {} });
  server.receive(client.takeOutput());
  assert.equal(server.requests.length, 1);
  client.receive(server.takeOutput());
  server.receive(client.takeOutput());
  const goaways = parseFrames(server.takeOutput()).filter((one) => one.type === FrameType.goaway);
  assert.deepEqual(
    goaways.map((one) => one.payload.readUInt32BE(0)),
    [1],
  );
  server.receive(headersFrame(3, CONNECT));
  assert.equal(server.requests.length, 1);
});

test("peer settings: smaller windows, frames and streams are kept to", () => {
  const client = new Endpoint("client");
  client.takeOutput();
  const settings = [
    setting(Setting.initialWindowSize, 1000),
    setting(Setting.maxConcurrentStreams, 1),
    setting(Setting.maxHeaderListSize, 200),
  ];
  client.receive(frame(FrameType.settings, 0, 0, Buffer.concat(settings)));
  const watcher = { onResponse: () => {}, onFault: () => {} };
  assert.equal(openTunnel(client.http2, [...CONNECT, ["baggage", "b".repeat(200)]], watcher), undefined);
  const stream = openTunnel(client.http2, CONNECT, watcher);
  assert.equal(client.http2.capacity > 0, false);
  assert.equal(stream?.write(Buffer.alloc(1500), true), false);
  const sent = parseFrames(client.takeOutput()).filter((one) => one.type === FrameType.data);
  assert.deepEqual(
    sent.map((one) => one.payload.length),
    [1000],
  );
  client.receive(frame(FrameType.settings, 0, 0, setting(Setting.initialWindowSize, 1200)));
  const more = parseFrames(client.takeOutput()).filter((one) => one.type === FrameType.data);
  assert.deepEqual(
    more.map((one) => one.payload.length),
    [200],
  );
});

test("fuzz: any frames in any state end in progress or in GOAWAY, within bounds", () => {
  const anyFrame = fc
    .record({
      type: fc.integer({ min: 0, max: 10 }),
      flags: fc.constantFrom(0, 1, 4, 5, 8, 0x20, 0x2d),
      streamId: fc.constantFrom(0, 1, 1, 2, 3, 5, 2 ** 31 - 1),
      payload: fc.oneof(
        fc.uint8Array({ maxLength: 40 }),
        fc.constantFrom(uint32(0), uint32(1), uint32(0, 0), setting(4, 7)),
      ),
    })
    .map((one) => frame(one.type, one.flags, one.streamId, one.payload));
  const opening = fc.constantFrom(
    headersFrame(1, CONNECT),
    headersFrame(3, CONNECT),
    headersFrame(1, [[":status", "200"]]),
  );
  const input = fc.array(fc.oneof(anyFrame, opening, fc.uint8Array({ maxLength: 30 })), { maxLength: 30 });
  fc.assert(
    fc.property(
      fc.constantFrom("server" as const, "client" as const),
      input,
      fc.integer({ min: 1, max: 50 }),
      (role, parts, cut) => {
        const endpoint = new Endpoint(role);
        if (role === "server") endpoint.receive(PREFACE);
        else openTunnel(endpoint.http2, CONNECT, { onResponse: () => {}, onFault: () => {} });
        const bytes = Buffer.concat(parts);
        for (let at = 0; at < bytes.length; at += cut) endpoint.receive(bytes.subarray(at, at + cut));
        for (const { stream } of endpoint.requests) stream.respond(200, [], false);
        const output = endpoint.takeOutput();
        assert.ok(output.length < 64 * KIB);
        assert.equal(endpoint.failure !== undefined, endpoint.http2.closed);
        if (endpoint.http2.closed) assert.equal(endpoint.http2.streams.size, 0);
      },
    ),
    { numRuns: 3000 },
  );
});
