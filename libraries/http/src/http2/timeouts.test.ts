/** A connection over a channel: time limits, drain, and errors of this program. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { AbortReason, ByteChannel, ByteConsumer } from "@meltemi/l4";
import {
  createFakeClock,
  type FakeClock,
  frame,
  headersFrame,
  parseFrames,
  type SeenFrame,
} from "@meltemi/testkit";
import type { ServerConnection, ServerExchange } from "../exchange.ts";
import { HeaderFields } from "../headers.ts";
import type { Http2End } from "./channel-connection.ts";
import { createHttp2Client } from "./client.ts";
import { CLIENT_PREFACE, ErrorCode, Flag, FrameType } from "./constants.ts";
import { GET, PREFACE, Recorder, SETTINGS, turn } from "./frames.fixture.ts";
import { HTTP2_CLIENT_DEFAULTS, HTTP2_SERVER_DEFAULTS, type Http2ConnectionOptions } from "./options.ts";
import { head } from "./peers.fixture.ts";
import { createHttp2Server } from "./server.ts";

/** A peer in memory that says what the test lets it say. */
class Wire implements ByteChannel {
  peer: ByteConsumer | undefined;
  written: Buffer[] = [];
  full = false;
  aborted: AbortReason | undefined;
  ended = false;
  readonly bufferedBytes = 0;

  open(consumer: ByteConsumer): void {
    this.peer = consumer;
  }
  pause(): void {}
  resume(): void {}
  write(chunk: Uint8Array): boolean {
    this.written.push(Buffer.from(chunk));
    return !this.full;
  }
  endWrite(): void {
    this.ended = true;
  }
  abort(reason: AbortReason): void {
    this.aborted = reason;
  }
  say(...bytes: readonly Uint8Array[]): void {
    for (const one of bytes) this.peer?.onData(one, false);
  }
  /** Frames written since the last look. */
  async frames(): Promise<SeenFrame[]> {
    await turn();
    await turn();
    const bytes = Buffer.concat(this.written);
    this.written = [];
    return parseFrames(bytes);
  }
}

interface Served {
  readonly wire: Wire;
  readonly clock: FakeClock;
  readonly connection: ServerConnection;
  readonly exchanges: ServerExchange[];
  readonly ends: Http2End[];
  readonly errors: unknown[];
  closed: number;
}

function serve(options: Partial<Http2ConnectionOptions> = {}, onExchange?: () => void): Served {
  const clock = createFakeClock();
  const wire = new Wire();
  const exchanges: ServerExchange[] = [];
  const ends: Http2End[] = [];
  const errors: unknown[] = [];
  const server = createHttp2Server(
    { ...HTTP2_SERVER_DEFAULTS, ...options },
    { clock, onInternalError: (error) => errors.push(error), onConnectionEnd: (end) => ends.push(end) },
  );
  const served = { wire, clock, exchanges, ends, errors, closed: 0 };
  const connection = server.accept(wire, {
    onExchange: (exchange) => {
      exchanges.push(exchange);
      onExchange?.();
    },
    onRefused: () => {},
    onClosed: () => {
      served.closed++;
    },
  });
  return Object.assign(served, { connection });
}

const SLOW: readonly (readonly [name: string, said: readonly Uint8Array[]])[] = [
  ["nothing", []],
  ["half a preface", [CLIENT_PREFACE.subarray(0, 10)]],
  ["a preface without SETTINGS", [CLIENT_PREFACE]],
  ["half a header of a frame", [PREFACE, headersFrame(1, GET).subarray(0, 5)]],
  ["half a HEADERS frame", [PREFACE, headersFrame(1, GET).subarray(0, 20)]],
  ["HEADERS without its CONTINUATION", [PREFACE, frame(FrameType.headers, 0, 1)]],
];
for (const [name, said] of SLOW) {
  test(`a client that says ${name} and no more is cut`, async () => {
    const served = serve();
    served.wire.say(...said);
    served.clock.advance(HTTP2_SERVER_DEFAULTS.headTimeoutMs - 1);
    assert.equal(served.closed, 0);
    served.clock.advance(1);
    assert.deepEqual([served.closed, served.ends[0]?.kind, served.wire.ended], [1, "failed", true]);
    served.clock.advance(2000);
    assert.equal(served.wire.aborted, "half-open");
    assert.equal(served.closed, 1);
  });
}

test("a client that goes on in time, and then is quiet, is left alone until it was idle for long", async () => {
  const { wire, clock, ...served } = serve({ idleTimeoutMs: 60_000 });
  wire.say(PREFACE, headersFrame(1, GET, true).subarray(0, 12));
  clock.advance(9000);
  wire.say(headersFrame(1, GET, true).subarray(12));
  clock.advance(200_000);
  assert.equal(served.exchanges.length, 1);
  assert.equal(
    (await wire.frames()).some((one) => one.type === FrameType.goaway),
    false,
  );
  served.exchanges[0]?.respond({ status: 204, headers: new HeaderFields() }, true);
  clock.advance(120_000);
  const goaway = (await wire.frames()).find((one) => one.type === FrameType.goaway);
  assert.equal(goaway?.payload.readUInt32BE(4), ErrorCode.noError);
});

test("keepalive: a PING each quiet interval, and the end when none comes back", async () => {
  const served = serve({ keepaliveIntervalMs: 10_000, keepaliveTimeoutMs: 20_000 });
  const { wire, clock } = served;
  wire.say(PREFACE, headersFrame(1, GET, true));
  const recorder = new Recorder();
  served.exchanges[0]?.receive(recorder);
  await wire.frames();
  for (let round = 0; round < 3; round++) {
    clock.advance(10_000);
    const ping = (await wire.frames()).find((one) => one.type === FrameType.ping);
    assert.ok(ping);
    wire.say(frame(FrameType.ping, Flag.ack, 0, ping.payload));
  }
  clock.advance(29_999);
  assert.equal(served.closed, 0);
  clock.advance(1);
  assert.deepEqual([served.closed, recorder.fault?.kind], [1, "timeout"]);
});

test("drain: GOAWAY, the answer to its PING, GOAWAY with the last stream, then the end once all is answered", async () => {
  const served = serve();
  const { wire, connection } = served;
  wire.say(PREFACE, headersFrame(1, GET, true));
  connection.drain();
  const first = await wire.frames();
  const ping = first.find((one) => one.type === FrameType.ping);
  assert.equal(first.find((one) => one.type === FrameType.goaway)?.payload.readUInt32BE(0), 2 ** 31 - 1);
  wire.say(
    headersFrame(3, GET, true),
    frame(FrameType.ping, Flag.ack, 0, ping?.payload),
    headersFrame(5, GET, true),
  );
  assert.equal(served.exchanges.length, 2);
  const second = await wire.frames();
  assert.equal(second.find((one) => one.type === FrameType.goaway)?.payload.readUInt32BE(0), 3);
  for (const exchange of served.exchanges)
    exchange.respond({ status: 204, headers: new HeaderFields() }, true);
  const last = await wire.frames();
  assert.equal(last.filter((one) => one.type === FrameType.headers).length, 2);
  assert.deepEqual([wire.ended, served.ends, served.closed], [true, [{ kind: "closed" }], 1]);
});

test("a server's drain: quiet clients go once they know, busy ones have until the deadline", async () => {
  const clock = createFakeClock();
  const exchanges: ServerExchange[] = [];
  const server = createHttp2Server(HTTP2_SERVER_DEFAULTS, { clock, onInternalError: () => {} });
  const owner = {
    onExchange: (exchange: ServerExchange) => void exchanges.push(exchange),
    onRefused: () => {},
    onClosed: () => {},
  };
  const quiet = new Wire();
  const busy = new Wire();
  server.accept(quiet, owner);
  quiet.say(PREFACE);
  // As one that was looked at first.
  server.accept(busy, owner, Buffer.concat([PREFACE, headersFrame(1, GET, true)]));
  assert.deepEqual([server.connections, exchanges.length, busy.peer], [2, 1, undefined]);
  const drained = server.drain(10_000);
  clock.advance(HTTP2_SERVER_DEFAULTS.drainNoticeMs);
  assert.deepEqual([server.connections, quiet.ended, busy.ended], [1, true, false]);
  clock.advance(10_000);
  assert.deepEqual(await drained, { cutExchanges: 1 });
  assert.deepEqual([server.connections, busy.ended], [0, true]);
});

test("a drain of an idle connection waits for the notice, but not for ever", async () => {
  const served = serve();
  served.wire.say(PREFACE);
  served.connection.drain();
  await served.wire.frames();
  assert.equal(served.wire.ended, false);
  served.clock.advance(HTTP2_SERVER_DEFAULTS.drainNoticeMs);
  assert.deepEqual([served.wire.ended, served.closed], [true, 1]);
});

const ENDS: readonly (readonly [name: string, end: (served: Served) => void, kind: Http2End["kind"]])[] = [
  ["the channel closes", ({ wire }) => wire.peer?.onClosed(), "closed"],
  ["the channel breaks", ({ wire }) => wire.peer?.onFault({ kind: "reset" }), "closed"],
  [
    "the peer finishes, then all is closed",
    ({ wire }) => {
      wire.peer?.onEnd();
      wire.peer?.onClosed();
    },
    "closed",
  ],
  [
    "the peer breaks the protocol",
    ({ wire }) => wire.say(frame(FrameType.ping, 0, 1, Buffer.alloc(8))),
    "failed",
  ],
  ["this process closes it", ({ connection }) => connection.close(), "aborted"],
];
for (const [name, end, kind] of ENDS) {
  test(`when ${name}, it is told once and no timer is left`, () => {
    const served = serve({ keepaliveIntervalMs: 10_000 });
    served.wire.say(PREFACE);
    assert.ok(served.clock.pending > 0);
    end(served);
    served.clock.advance(2000);
    served.wire.peer?.onFault({ kind: "reset" });
    assert.deepEqual([served.clock.pending, served.closed, served.ends[0]?.kind], [0, 1, kind]);
  });
}

test("a handler that throws costs its connection, and is told", () => {
  const served = serve({}, () => {
    throw new Error("broken handler");
  });
  served.wire.say(PREFACE, headersFrame(1, GET, true));
  assert.deepEqual(served.errors.map(String), ["Error: broken handler"]);
  assert.deepEqual([served.wire.aborted, served.closed], ["other-side-failed", 1]);
  served.wire.say(headersFrame(3, GET, true));
  assert.equal(served.exchanges.length, 1);
});

test("a channel that is full is not written to until it has room", async () => {
  const { wire, exchanges } = serve();
  wire.say(PREFACE, headersFrame(1, GET, true));
  const recorder = new Recorder();
  exchanges[0]?.receive(recorder);
  await wire.frames();
  wire.full = true;
  exchanges[0]?.respond({ status: 200, headers: new HeaderFields() }, false);
  await wire.frames();
  exchanges[0]?.write(Buffer.from("later"), false);
  assert.equal((await wire.frames()).length, 0);
  wire.full = false;
  wire.peer?.onDrain();
  assert.equal((await wire.frames()).find((one) => one.type === FrameType.data)?.payload.toString(), "later");
});

test("everything that one turn answers leaves in one write", async () => {
  const { wire, exchanges } = serve();
  wire.say(PREFACE, ...Array.from({ length: 20 }, (_, index) => headersFrame(2 * index + 1, GET, true)));
  await wire.frames();
  for (const exchange of exchanges) exchange.respond({ status: 204, headers: new HeaderFields() }, true);
  await turn();
  assert.equal(wire.written.length, 1);
});

test("a client tells its owner of capacity, of drain and of the end, each once", async () => {
  const wire = new Wire();
  const log: string[] = [];
  const owner = {
    onCapacity: () => log.push("capacity"),
    onDraining: () => log.push("draining"),
    onClosed: () => log.push("closed"),
  };
  const client = createHttp2Client(
    wire,
    owner as never,
    { ...HTTP2_CLIENT_DEFAULTS, maxStreams: 1 },
    { clock: createFakeClock(), onInternalError: (error) => assert.fail(String(error)) },
  );
  const response = new Recorder();
  client.send(head(), true, response);
  assert.deepEqual([client.capacity, client.active], [0, 1]);
  wire.say(SETTINGS, headersFrame(1, [[":status", "204"]], true));
  assert.deepEqual([log, response.log], [["capacity"], ["response 204 ended"]]);
  const second = new Recorder();
  client.send(head(), true, second);
  client.drain();
  client.drain();
  wire.say(headersFrame(3, [[":status", "204"]], true));
  await wire.frames();
  assert.deepEqual([log, second.log], [["capacity", "draining", "closed"], ["response 204 ended"]]);
  assert.equal(wire.ended, true);
});
