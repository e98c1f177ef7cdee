/** RFC 9113 §8.5 by tables: what is a tunnel, what is refused. Frames and connections are tested where they are written. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Flag, FrameType } from "@meltemi/http/http2-transport";
import { frame, headersFrame } from "@meltemi/testkit";
import { CONNECT, Endpoint, outcome, PREFACE } from "./frames.fixture.ts";
import type { HeaderFields } from "./headers.ts";
import { openTunnel } from "./tunnel-stream.ts";

const OPEN = headersFrame(1, CONNECT);
const data = (streamId: number, bytes: number, flags = 0): Buffer =>
  frame(FrameType.data, flags, streamId, Buffer.alloc(bytes));
const request = (...fields: HeaderFields): Buffer => headersFrame(1, fields);
const GET: HeaderFields = [
  [":method", "GET"],
  [":scheme", "https"],
  [":path", "/"],
];

const SERVER_CASES: readonly (readonly [name: string, input: readonly Uint8Array[], want: string])[] = [
  ["a tunnel", [OPEN, data(1, 10)], "fine"],
  ["DATA on a stream that was just refused", [request(...GET), OPEN3(), data(1, 1)], "status 400"],
  ["trailers", [OPEN, headersFrame(1, [["a", "b"]], true)], "fine"],
  [
    "trailers with a pseudo header",
    [OPEN, headersFrame(1, [[":status", "200"]], true)],
    "reset PROTOCOL_ERROR",
  ],
  [
    "header list beyond the limit",
    [frame(FrameType.headers, Flag.endHeaders, 1, Buffer.alloc(2000, 0x82))],
    "status 431",
  ],
  ["not CONNECT", [request(...GET)], "status 400"],
  ["no :method", [request([":authority", "a:1"])], "reset PROTOCOL_ERROR"],
  ["CONNECT without :authority", [request([":method", "CONNECT"])], "reset PROTOCOL_ERROR"],
  ["CONNECT with :scheme", [request(...CONNECT, [":scheme", "https"])], "reset PROTOCOL_ERROR"],
  [
    "extended CONNECT",
    [request(...CONNECT, [":protocol", "websocket"], [":scheme", "https"], [":path", "/"])],
    "reset PROTOCOL_ERROR",
  ],
  ["GET without :path", [request([":method", "GET"], [":scheme", "https"])], "reset PROTOCOL_ERROR"],
  ["pseudo header twice", [request(...CONNECT, [":method", "CONNECT"])], "reset PROTOCOL_ERROR"],
  [
    "pseudo header after a header",
    [request([":method", "CONNECT"], ["a", "b"], [":authority", "a:1"])],
    "reset PROTOCOL_ERROR",
  ],
  ["unknown pseudo header", [request(...CONNECT, [":x", "y"])], "reset PROTOCOL_ERROR"],
  ["upper-case name", [request(...CONNECT, ["Forwarded", "x"])], "reset PROTOCOL_ERROR"],
  ["newline in a value", [request(...CONNECT, ["baggage", "a\r\nb"])], "reset PROTOCOL_ERROR"],
  ["space around a value", [request(...CONNECT, ["baggage", " a"])], "reset PROTOCOL_ERROR"],
  ["empty value", [request(...CONNECT, ["baggage", ""])], "fine"],
  ["transfer-encoding", [request(...CONNECT, ["transfer-encoding", "chunked"])], "reset PROTOCOL_ERROR"],
  ["te: gzip", [request(...CONNECT, ["te", "gzip"])], "reset PROTOCOL_ERROR"],
];

function OPEN3(): Buffer {
  return headersFrame(3, CONNECT);
}

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

const SETTINGS = frame(FrameType.settings, 0, 0);
const OK = headersFrame(1, [[":status", "200"]]);
const CLIENT_CASES: readonly (readonly [name: string, input: readonly Uint8Array[], want: string])[] = [
  ["an answer", [SETTINGS, OK, data(1, 5)], "fine"],
  ["an answer after 100", [SETTINGS, headersFrame(1, [[":status", "100"]]), OK], "fine"],
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
];
for (const [name, input, want] of CLIENT_CASES) {
  test(`client: ${name}: ${want}`, () => {
    const endpoint = new Endpoint("client");
    openTunnel(endpoint.http2, CONNECT, { onResponse: () => {}, onFault: () => {} });
    endpoint.takeOutput();
    endpoint.receive(...input);
    assert.equal(outcome(endpoint), want);
  });
}

test("a tunnel is not asked for with a field that must not be written, and the next one is", () => {
  const endpoint = new Endpoint("client");
  endpoint.takeOutput();
  const watcher = { onResponse: () => {}, onFault: () => {} };
  assert.equal(openTunnel(endpoint.http2, [...CONNECT, ["baggage", "a\nb"]], watcher), undefined);
  assert.deepEqual([endpoint.takeOutput().length, endpoint.http2.streams.size], [0, 0]);
  assert.equal(openTunnel(endpoint.http2, CONNECT, watcher)?.id, 1);
});
