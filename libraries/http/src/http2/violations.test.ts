/** RFC 9113 by tables: which fault ends the connection, which only a stream, and what is harmless. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { frame, headersFrame, parseFrames, setting, uint32 } from "@meltemi/testkit";
import { HeaderFields } from "../headers.ts";
import { CLIENT_PREFACE, ErrorCode, Flag, FrameType, Setting } from "./constants.ts";
import { Endpoint, GET, outcome, POST, PREFACE, Recorder, SETTINGS } from "./frames.fixture.ts";

const OPEN = headersFrame(1, POST);
const data = (streamId: number, bytes: number, flags = 0): Buffer =>
  frame(FrameType.data, flags, streamId, Buffer.alloc(bytes));

const SERVER_CASES: readonly (readonly [name: string, input: readonly Uint8Array[], want: string])[] = [
  ["a request with a body", [OPEN, data(1, 10)], "fine"],
  ["frame longer than SETTINGS_MAX_FRAME_SIZE", [OPEN, data(1, 64 * 1024 + 1)], "goaway FRAME_SIZE_ERROR"],
  ["unknown frame type", [frame(0xee, 0xff, 7, Buffer.alloc(100))], "fine"],
  ["reserved bit of the stream id", [OPEN, frame(FrameType.data, 0, 0x80000001, Buffer.alloc(3))], "fine"],
  ["DATA on stream 0", [data(0, 1)], "goaway PROTOCOL_ERROR"],
  ["DATA on an idle stream", [data(1, 1)], "goaway PROTOCOL_ERROR"],
  ["DATA after END_STREAM", [OPEN, data(1, 1, Flag.endStream), data(1, 1)], "reset STREAM_CLOSED"],
  ["DATA on a stream that was just refused", [headersFrame(1, []), data(1, 1)], "reset PROTOCOL_ERROR"],
  [
    "padded DATA without pad length",
    [OPEN, frame(FrameType.data, Flag.padded, 1)],
    "goaway FRAME_SIZE_ERROR",
  ],
  [
    "padding as long as the frame",
    [OPEN, frame(FrameType.data, Flag.padded, 1, Buffer.from([3, 0, 0]))],
    "goaway PROTOCOL_ERROR",
  ],
  ["padding alone", [OPEN, frame(FrameType.data, Flag.padded, 1, Buffer.from([2, 0, 0]))], "fine"],
  ["HEADERS on stream 0", [headersFrame(0, GET)], "goaway PROTOCOL_ERROR"],
  ["HEADERS on an even stream", [headersFrame(2, GET)], "goaway PROTOCOL_ERROR"],
  ["HEADERS on a lower stream", [headersFrame(5, GET), headersFrame(3, GET)], "goaway STREAM_CLOSED"],
  [
    "HEADERS padding too long",
    [frame(FrameType.headers, Flag.padded | Flag.endHeaders, 1, Buffer.from([9, 0x82]))],
    "goaway PROTOCOL_ERROR",
  ],
  [
    "HEADERS too short for priority",
    [frame(FrameType.headers, Flag.priority | Flag.endHeaders, 1, Buffer.alloc(4))],
    "goaway FRAME_SIZE_ERROR",
  ],
  [
    "broken HPACK",
    [frame(FrameType.headers, Flag.endHeaders, 1, Buffer.from([0x80]))],
    "goaway COMPRESSION_ERROR",
  ],
  ["trailers without END_STREAM", [OPEN, headersFrame(1, [["a", "b"]])], "reset PROTOCOL_ERROR"],
  ["trailers", [OPEN, headersFrame(1, [["a", "b"]], true)], "fine"],
  [
    "trailers with a pseudo header",
    [OPEN, headersFrame(1, [[":status", "200"]], true)],
    "reset PROTOCOL_ERROR",
  ],
  [
    "trailers after END_STREAM",
    [OPEN, data(1, 0, Flag.endStream), headersFrame(1, [["a", "b"]], true)],
    "reset STREAM_CLOSED",
  ],
  ["CONTINUATION alone", [frame(FrameType.continuation, Flag.endHeaders, 1)], "goaway PROTOCOL_ERROR"],
  [
    "frame inside a header block",
    [frame(FrameType.headers, 0, 1), frame(FrameType.ping, 0, 0, Buffer.alloc(8))],
    "goaway PROTOCOL_ERROR",
  ],
  [
    "unknown frame inside a header block",
    [frame(FrameType.headers, 0, 1), frame(0xee, 0, 0)],
    "goaway PROTOCOL_ERROR",
  ],
  [
    "CONTINUATION of another stream",
    [frame(FrameType.headers, 0, 1), frame(FrameType.continuation, Flag.endHeaders, 3)],
    "goaway PROTOCOL_ERROR",
  ],
  [
    "endless CONTINUATION",
    [
      frame(FrameType.headers, 0, 1),
      ...Array.from({ length: 40 }, () => frame(FrameType.continuation, 0, 1)),
    ],
    "goaway ENHANCE_YOUR_CALM",
  ],
  [
    "header block beyond the limit",
    [
      frame(FrameType.headers, 0, 1, Buffer.alloc(40_000)),
      frame(FrameType.continuation, 0, 1, Buffer.alloc(40_000)),
    ],
    "goaway ENHANCE_YOUR_CALM",
  ],
  [
    "header list beyond the limit",
    [frame(FrameType.headers, Flag.endHeaders, 1, Buffer.alloc(2000, 0x82))],
    "status 431",
  ],
  ["PRIORITY on stream 0", [frame(FrameType.priority, 0, 0, Buffer.alloc(5))], "goaway PROTOCOL_ERROR"],
  ["PRIORITY of 4 bytes", [frame(FrameType.priority, 0, 1, Buffer.alloc(4))], "goaway FRAME_SIZE_ERROR"],
  ["PRIORITY on an idle stream", [frame(FrameType.priority, 0, 9, Buffer.alloc(5))], "fine"],
  ["RST_STREAM on stream 0", [frame(FrameType.rstStream, 0, 0, uint32(0))], "goaway PROTOCOL_ERROR"],
  ["RST_STREAM on an idle stream", [frame(FrameType.rstStream, 0, 1, uint32(0))], "goaway PROTOCOL_ERROR"],
  [
    "RST_STREAM of 3 bytes",
    [OPEN, frame(FrameType.rstStream, 0, 1, Buffer.alloc(3))],
    "goaway FRAME_SIZE_ERROR",
  ],
  ["RST_STREAM", [OPEN, frame(FrameType.rstStream, 0, 1, uint32(ErrorCode.cancel))], "fine"],
  ["SETTINGS on a stream", [frame(FrameType.settings, 0, 1)], "goaway PROTOCOL_ERROR"],
  ["SETTINGS of 5 bytes", [frame(FrameType.settings, 0, 0, Buffer.alloc(5))], "goaway FRAME_SIZE_ERROR"],
  [
    "SETTINGS acknowledgement with payload",
    [frame(FrameType.settings, Flag.ack, 0, setting(1, 1))],
    "goaway FRAME_SIZE_ERROR",
  ],
  [
    "ENABLE_PUSH 2",
    [frame(FrameType.settings, 0, 0, setting(Setting.enablePush, 2))],
    "goaway PROTOCOL_ERROR",
  ],
  [
    "INITIAL_WINDOW_SIZE 2^31",
    [frame(FrameType.settings, 0, 0, setting(Setting.initialWindowSize, 2 ** 31))],
    "goaway FLOW_CONTROL_ERROR",
  ],
  [
    "MAX_FRAME_SIZE 16383",
    [frame(FrameType.settings, 0, 0, setting(Setting.maxFrameSize, 16_383))],
    "goaway PROTOCOL_ERROR",
  ],
  [
    "MAX_FRAME_SIZE 2^24",
    [frame(FrameType.settings, 0, 0, setting(Setting.maxFrameSize, 2 ** 24))],
    "goaway PROTOCOL_ERROR",
  ],
  ["unknown setting", [frame(FrameType.settings, 0, 0, setting(0x99, 1))], "fine"],
  [
    "window overflow by SETTINGS",
    [
      OPEN,
      frame(FrameType.windowUpdate, 0, 1, uint32(2 ** 31 - 1 - 65_535)),
      frame(FrameType.settings, 0, 0, setting(Setting.initialWindowSize, 65_536)),
    ],
    "goaway FLOW_CONTROL_ERROR",
  ],
  ["PUSH_PROMISE", [frame(FrameType.pushPromise, Flag.endHeaders, 1, uint32(2))], "goaway PROTOCOL_ERROR"],
  ["PING on a stream", [frame(FrameType.ping, 0, 1, Buffer.alloc(8))], "goaway PROTOCOL_ERROR"],
  ["PING of 7 bytes", [frame(FrameType.ping, 0, 0, Buffer.alloc(7))], "goaway FRAME_SIZE_ERROR"],
  ["GOAWAY on a stream", [frame(FrameType.goaway, 0, 1, uint32(0, 0))], "goaway PROTOCOL_ERROR"],
  ["GOAWAY of 7 bytes", [frame(FrameType.goaway, 0, 0, Buffer.alloc(7))], "goaway FRAME_SIZE_ERROR"],
  ["GOAWAY with an essay", [frame(FrameType.goaway, 0, 0, Buffer.alloc(20_000))], "goaway ENHANCE_YOUR_CALM"],
  [
    "WINDOW_UPDATE of 3 bytes",
    [frame(FrameType.windowUpdate, 0, 0, Buffer.alloc(3))],
    "goaway FRAME_SIZE_ERROR",
  ],
  [
    "WINDOW_UPDATE 0 of the connection",
    [frame(FrameType.windowUpdate, 0, 0, uint32(0))],
    "goaway PROTOCOL_ERROR",
  ],
  [
    "WINDOW_UPDATE 0 of a stream",
    [OPEN, frame(FrameType.windowUpdate, 0, 1, uint32(0))],
    "reset PROTOCOL_ERROR",
  ],
  [
    "WINDOW_UPDATE on an idle stream",
    [frame(FrameType.windowUpdate, 0, 1, uint32(1))],
    "goaway PROTOCOL_ERROR",
  ],
  [
    "window overflow of the connection",
    [frame(FrameType.windowUpdate, 0, 0, uint32(2 ** 31 - 1))],
    "goaway FLOW_CONTROL_ERROR",
  ],
  [
    "window overflow of a stream",
    [OPEN, frame(FrameType.windowUpdate, 0, 1, uint32(2 ** 31 - 1))],
    "reset FLOW_CONTROL_ERROR",
  ],
];

for (const [name, input, want] of SERVER_CASES) {
  test(`server: ${name}: ${want}`, () => {
    const whole = new Endpoint("server");
    whole.receive(PREFACE, ...input);
    assert.equal(outcome(whole), want);
    // The same bytes one by one give the same.
    const dripping = new Endpoint("server");
    const bytes = Buffer.concat([PREFACE, ...input]);
    if (bytes.length > 100_000) return;
    for (const byte of bytes) dripping.receive(Buffer.from([byte]));
    assert.equal(outcome(dripping), want);
  });
}

const PREFACE_CASES: readonly (readonly [name: string, input: Uint8Array, want: string])[] = [
  ["HTTP/1.1", Buffer.from("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), "goaway PROTOCOL_ERROR"],
  [
    "wrong last byte",
    Buffer.from(`${Buffer.from(CLIENT_PREFACE).toString().slice(0, -1)}x`),
    "goaway PROTOCOL_ERROR",
  ],
  [
    "PING before SETTINGS",
    Buffer.concat([CLIENT_PREFACE, frame(FrameType.ping, 0, 0, Buffer.alloc(8))]),
    "goaway PROTOCOL_ERROR",
  ],
  [
    "acknowledgement before SETTINGS",
    Buffer.concat([CLIENT_PREFACE, frame(FrameType.settings, Flag.ack, 0)]),
    "goaway PROTOCOL_ERROR",
  ],
];
for (const [name, input, want] of PREFACE_CASES) {
  test(`server preface: ${name}: ${want}`, () => {
    const endpoint = new Endpoint("server");
    endpoint.receive(input);
    assert.equal(outcome(endpoint), want);
  });
}

const OK = headersFrame(1, [[":status", "200"]]);
const CLIENT_CASES: readonly (readonly [name: string, input: readonly Uint8Array[], want: string])[] = [
  ["an answer", [SETTINGS, OK, data(1, 5)], "fine"],
  [
    "DATA after the answer ended",
    [SETTINGS, headersFrame(1, [[":status", "200"]], true), data(1, 1)],
    "goaway STREAM_CLOSED",
  ],
  ["an answer after 100", [SETTINGS, headersFrame(1, [[":status", "100"]]), OK], "fine"],
  [
    "ENABLE_PUSH 1 from a server",
    [frame(FrameType.settings, 0, 0, setting(Setting.enablePush, 1))],
    "goaway PROTOCOL_ERROR",
  ],
  [
    "PUSH_PROMISE",
    [SETTINGS, frame(FrameType.pushPromise, Flag.endHeaders, 1, uint32(2))],
    "goaway PROTOCOL_ERROR",
  ],
  [
    "HEADERS on a stream we did not open",
    [SETTINGS, headersFrame(3, [[":status", "200"]])],
    "goaway PROTOCOL_ERROR",
  ],
  ["HEADERS on an even stream", [SETTINGS, headersFrame(2, [[":status", "200"]])], "goaway PROTOCOL_ERROR"],
  ["DATA before the answer", [SETTINGS, data(1, 1)], "reset PROTOCOL_ERROR"],
  ["no :status", [SETTINGS, headersFrame(1, [["a", "b"]])], "reset PROTOCOL_ERROR"],
  [":status 20", [SETTINGS, headersFrame(1, [[":status", "20"]])], "reset PROTOCOL_ERROR"],
  [":status 101", [SETTINGS, headersFrame(1, [[":status", "101"]])], "reset PROTOCOL_ERROR"],
  [
    "100 that ends the stream",
    [SETTINGS, headersFrame(1, [[":status", "100"]], true)],
    "reset PROTOCOL_ERROR",
  ],
  [
    "request pseudo header",
    [
      SETTINGS,
      headersFrame(1, [
        [":status", "200"],
        [":path", "/"],
      ]),
    ],
    "reset PROTOCOL_ERROR",
  ],
  [
    "WINDOW_UPDATE on a stream not yet open",
    [SETTINGS, frame(FrameType.windowUpdate, 0, 3, uint32(1))],
    "goaway PROTOCOL_ERROR",
  ],
];
for (const [name, input, want] of CLIENT_CASES) {
  test(`client: ${name}: ${want}`, () => {
    const endpoint = new Endpoint("client");
    endpoint.send({}, true, new Recorder());
    endpoint.takeOutput();
    endpoint.receive(...input);
    assert.equal(outcome(endpoint), want);
  });
}

test("what comes on streams that a drained server ignores is thrown away, and those under way go on", () => {
  const server = new Endpoint("server");
  server.receive(PREFACE, OPEN);
  server.http2.goaway();
  const ping = parseFrames(server.takeOutput()).find(
    (one) => one.type === FrameType.ping && (one.flags & Flag.ack) === 0,
  );
  assert.ok(ping);
  server.receive(frame(FrameType.ping, Flag.ack, 0, ping.payload));
  server.takeOutput();
  server.receive(
    headersFrame(3, POST),
    frame(FrameType.windowUpdate, 0, 3, uint32(1)),
    data(3, 1),
    headersFrame(3, [], true),
    frame(FrameType.rstStream, 0, 3, uint32(ErrorCode.cancel)),
    frame(FrameType.windowUpdate, 0, 5, uint32(1)),
    frame(FrameType.rstStream, 0, 5, uint32(ErrorCode.cancel)),
  );
  assert.equal(server.exchanges.length, 1);
  assert.equal(server.http2.closed, false);
  server.exchanges[0]?.respond({ status: 200, headers: new HeaderFields() }, false);
  assert.equal(server.http2.streams.get(1)?.gone, false);
  server.receive(frame(FrameType.rstStream, 0, 2, uint32(ErrorCode.cancel)));
  assert.deepEqual(server.failure, {
    code: ErrorCode.protocolError,
    reason: "RST_STREAM on idle stream 2",
  });
});
