/** RFC 9113 §8 by tables: which heads and bodies are messages, and which are refused. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type FrameFields, frame, headersFrame, uint32 } from "@meltemi/testkit";
import { ErrorCode, FrameType } from "./constants.ts";
import {
  CONNECT,
  dataFrame,
  Endpoint,
  GET,
  outcome,
  POST,
  PREFACE,
  Recorder,
  SETTINGS,
  WEBSOCKET,
} from "./frames.fixture.ts";

/** Heads of requests: [name, fields, outcome]. */
const plus = (...fields: FrameFields): FrameFields => [...GET, ...fields];
const without = (name: string, from: FrameFields = GET): FrameFields =>
  from.filter((field) => field[0] !== name);
const instead = (name: string, value: string, from: FrameFields = GET): FrameFields =>
  from.map((field) => (field[0] === name ? ([name, value] as const) : field));

const HEAD_CASES: readonly (readonly [name: string, fields: FrameFields, fine: boolean])[] = [
  ["GET", GET, true],
  ["OPTIONS *", instead(":path", "*", instead(":method", "OPTIONS")), true],
  ["GET *", instead(":path", "*"), false],
  ["a method of one's own", instead(":method", "M-SEARCH"), true],
  ["a method with a space", instead(":method", "GET /x HTTP/1.1"), false],
  ["an empty method", instead(":method", ""), false],
  ["no :method", without(":method"), false],
  ["no :scheme", without(":scheme"), false],
  ["scheme ftp", instead(":scheme", "ftp"), false],
  ["scheme HTTPS", instead(":scheme", "HTTPS"), true],
  ["no :path", without(":path"), false],
  ["an empty :path", instead(":path", ""), false],
  ["a :path without slash", instead(":path", "a"), false],
  ["a :path in absolute form", instead(":path", "http://b/"), false],
  ["a :path with a space", instead(":path", "/ HTTP/1.1"), false],
  ["a :path with a tab", instead(":path", "/\ta"), false],
  ["a :path with a new line", instead(":path", "/\r\nx: y"), false],
  ["a :path with a fragment", instead(":path", "/a#b"), false],
  ["a :path with percent and query", instead(":path", "/%2e%2E/?a=b|c\\d"), true],
  ["a :path with a byte above ASCII", instead(":path", "/ä"), false],
  [":authority with a broken port", instead(":authority", "a:99999"), false],
  [":authority with a broken address", instead(":authority", "[::1"), false],
  ["no :authority", without(":authority"), false],
  ["host alone", [...without(":authority"), ["host", "a.example"]], true],
  ["host that agrees", plus(["host", "A.example"]), true],
  ["host that differs", plus(["host", "b.example"]), false],
  ["host twice", plus(["host", "a.example"], ["host", "a.example"]), false],
  ["an empty :authority", instead(":authority", ""), false],
  ["user information", instead(":authority", "a@b.example"), false],
  [":authority with a slash", instead(":authority", "a/b"), false],
  [":authority with a space", instead(":authority", "a b"), false],
  [":authority with a new line", instead(":authority", "a\r\nb: c"), false],
  [":authority with port", instead(":authority", "[::1]:8080"), true],
  ["pseudo header twice", plus([":method", "GET"]), false],
  ["pseudo header after a field", [["a", "b"], ...GET], false],
  ["pseudo header after host", [["host", "a.example"], ...GET], false],
  ["unknown pseudo header", [...GET, [":x", "y"]], false],
  [":status in a request", [...GET, [":status", "200"]], false],
  ["upper-case name", plus(["Accept", "x"]), false],
  ["empty name", plus(["", "x"]), false],
  ["name with a colon", plus(["a:b", "x"]), false],
  ["name with a new line", plus(["a\r\nb", "x"]), false],
  ["newline in a value", plus(["a", "b\r\nc: d"]), false],
  ["NUL in a value", plus(["a", "b\0"]), false],
  ["space before a value", plus(["a", " b"]), false],
  ["tab after a value", plus(["a", "b\t"]), false],
  ["empty value", plus(["a", ""]), true],
  ["connection", plus(["connection", "keep-alive"]), false],
  ["keep-alive", plus(["keep-alive", "a"]), false],
  ["proxy-connection", plus(["proxy-connection", "a"]), false],
  ["transfer-encoding", plus(["transfer-encoding", "chunked"]), false],
  ["upgrade", plus(["upgrade", "websocket"]), false],
  ["http2-settings", plus(["http2-settings", "a"]), false],
  ["te: trailers", plus(["te", "trailers"]), true],
  ["te: gzip", plus(["te", "gzip"]), false],
  ["te: trailers, gzip", plus(["te", "trailers, gzip"]), false],
  ["content-length: 0", plus(["content-length", "0"]), true],
  ["content-length without a body", plus(["content-length", "1"]), false],
  ["content-length: +0", plus(["content-length", "+0"]), false],
  ["content-length: 0, 0", plus(["content-length", "0, 0"]), false],
  ["content-length: 0x0", plus(["content-length", "0x0"]), false],
  ["an empty content-length", plus(["content-length", ""]), false],
  ["content-length twice", plus(["content-length", "0"], ["content-length", "0"]), false],
  ["content-length of 16 digits", plus(["content-length", "0000000000000000"]), false],
  ["CONNECT", CONNECT, true],
  ["CONNECT without port", instead(":authority", "a.example", CONNECT), false],
  ["CONNECT without :authority", without(":authority", CONNECT), false],
  ["CONNECT with :scheme", [...CONNECT, [":scheme", "http"]], false],
  ["CONNECT with :path", [...CONNECT, [":path", "/"]], false],
  ["CONNECT with content-length", [...CONNECT, ["content-length", "0"]], false],
  ["extended CONNECT", WEBSOCKET, true],
  ["extended CONNECT without :path", without(":path", WEBSOCKET), false],
  ["extended CONNECT with content-length", [...WEBSOCKET, ["content-length", "0"]], false],
  [":protocol with GET", [[":protocol", "websocket"], ...GET], false],
  [":protocol with a space", instead(":protocol", "a b", WEBSOCKET), false],
];
for (const [name, fields, fine] of HEAD_CASES) {
  test(`request head: ${name}: ${fine ? "taken" : "refused"}`, () => {
    const endpoint = new Endpoint("server");
    endpoint.receive(PREFACE, headersFrame(1, fields, true));
    assert.equal(outcome(endpoint), fine ? "fine" : "reset PROTOCOL_ERROR");
    assert.equal(endpoint.exchanges.length, fine ? 1 : 0);
  });
}

const LENGTH_CASES: readonly (readonly [name: string, input: readonly Uint8Array[], want: string])[] = [
  ["as announced", [dataFrame(1, 3), dataFrame(1, 2, true)], "fine"],
  ["as announced, with trailers", [dataFrame(1, 5), headersFrame(1, [["a", "b"]], true)], "fine"],
  ["too long", [dataFrame(1, 6)], "reset PROTOCOL_ERROR"],
  ["too long in parts", [dataFrame(1, 5), dataFrame(1, 1, true)], "reset PROTOCOL_ERROR"],
  ["too short", [dataFrame(1, 4, true)], "reset PROTOCOL_ERROR"],
  ["too short before trailers", [headersFrame(1, [["a", "b"]], true)], "reset PROTOCOL_ERROR"],
  [
    "trailers with content-length",
    [dataFrame(1, 5), headersFrame(1, [["content-length", "5"]], true)],
    "reset PROTOCOL_ERROR",
  ],
  ["trailers with host", [dataFrame(1, 5), headersFrame(1, [["host", "b"]], true)], "reset PROTOCOL_ERROR"],
  [
    "trailers with transfer-encoding",
    [dataFrame(1, 5), headersFrame(1, [["transfer-encoding", "chunked"]], true)],
    "reset PROTOCOL_ERROR",
  ],
];
for (const [name, input, want] of LENGTH_CASES) {
  test(`a body of content-length 5 that is ${name}: ${want}`, () => {
    const endpoint = new Endpoint("server");
    endpoint.receive(PREFACE, headersFrame(1, [...POST, ["content-length", "5"]]));
    const recorder = new Recorder();
    endpoint.exchanges[0]?.receive(recorder);
    endpoint.receive(...input);
    assert.equal(outcome(endpoint), want);
    assert.deepEqual(recorder.log, want === "fine" ? ["end"] : ["fault protocol"]);
  });
}

const RESPONSE_CASES: readonly (readonly [
  name: string,
  method: string,
  input: readonly Uint8Array[],
  log: readonly string[],
])[] = [
  [
    "with a body",
    "GET",
    [
      headersFrame(1, [
        [":status", "200"],
        ["content-length", "2"],
      ]),
      dataFrame(1, 2, true),
    ],
    ["response 200", "end"],
  ],
  ["without a body", "GET", [headersFrame(1, [[":status", "204"]], true)], ["response 204 ended"]],
  [
    "after early hints",
    "GET",
    [
      headersFrame(1, [
        [":status", "103"],
        ["link", "x"],
      ]),
      headersFrame(1, [[":status", "200"]], true),
    ],
    ["informational 103", "response 200 ended"],
  ],
  [
    "to HEAD, with the length of a body",
    "HEAD",
    [
      headersFrame(
        1,
        [
          [":status", "200"],
          ["content-length", "2"],
        ],
        true,
      ),
    ],
    ["response 200 ended"],
  ],
  [
    "to HEAD, with a body",
    "HEAD",
    [headersFrame(1, [[":status", "200"]]), dataFrame(1, 2, true)],
    ["response 200", "fault protocol"],
  ],
  [
    "304 with a body",
    "GET",
    [headersFrame(1, [[":status", "304"]]), dataFrame(1, 2, true)],
    ["response 304", "fault protocol"],
  ],
  [
    "304 with the length of a body",
    "GET",
    [
      headersFrame(
        1,
        [
          [":status", "304"],
          ["content-length", "2"],
        ],
        true,
      ),
    ],
    ["response 304 ended"],
  ],
  [
    "longer than announced",
    "GET",
    [
      headersFrame(1, [
        [":status", "200"],
        ["content-length", "2"],
      ]),
      dataFrame(1, 3),
    ],
    ["response 200", "fault protocol"],
  ],
  [
    "shorter than announced",
    "GET",
    [
      headersFrame(1, [
        [":status", "200"],
        ["content-length", "2"],
      ]),
      dataFrame(1, 1, true),
    ],
    ["response 200", "fault protocol"],
  ],
  [
    "that ends short at once",
    "GET",
    [
      headersFrame(
        1,
        [
          [":status", "200"],
          ["content-length", "2"],
        ],
        true,
      ),
    ],
    ["fault protocol"],
  ],
  [
    "with connection",
    "GET",
    [
      headersFrame(
        1,
        [
          [":status", "200"],
          ["connection", "close"],
        ],
        true,
      ),
    ],
    ["fault protocol"],
  ],
  [
    "with host",
    "GET",
    [
      headersFrame(
        1,
        [
          [":status", "200"],
          ["host", "a"],
        ],
        true,
      ),
    ],
    ["fault protocol"],
  ],
  [
    "that is too large",
    "GET",
    [
      headersFrame(
        1,
        [[":status", "200"], ...Array.from({ length: 100 }, (): readonly [string, string] => ["a", "b"])],
        true,
      ),
    ],
    ["fault limit"],
  ],
  ["refused", "GET", [frame(FrameType.rstStream, 0, 1, uint32(ErrorCode.refusedStream))], ["fault refused"]],
  ["reset", "GET", [frame(FrameType.rstStream, 0, 1, uint32(ErrorCode.cancel))], ["fault reset"]],
  [
    "reset in the middle",
    "GET",
    [headersFrame(1, [[":status", "200"]]), frame(FrameType.rstStream, 0, 1, uint32(ErrorCode.noError))],
    ["response 200", "fault reset"],
  ],
  ["never seen, says GOAWAY", "GET", [frame(FrameType.goaway, 0, 0, uint32(0, 0))], ["fault refused"]],
  [
    "under way at GOAWAY",
    "GET",
    [frame(FrameType.goaway, 0, 0, uint32(1, 0)), headersFrame(1, [[":status", "200"]], true)],
    ["response 200 ended"],
  ],
  ["cut off by a violation", "GET", [frame(FrameType.ping, 0, 1, Buffer.alloc(8))], ["fault protocol"]],
];
for (const [name, method, input, log] of RESPONSE_CASES) {
  test(`a response ${name}: ${log}`, () => {
    const endpoint = new Endpoint("client");
    const recorder = new Recorder();
    endpoint.send({ method }, true, recorder);
    endpoint.receive(SETTINGS, ...input);
    assert.deepEqual(recorder.log, log);
    assert.equal(endpoint.http2.streams.size, 0);
  });
}

test("whole requests of a table are not refused for how they are cut", () => {
  const input = Buffer.concat([
    PREFACE,
    headersFrame(1, [...POST, ["content-length", "5"]]),
    dataFrame(1, 5, true),
  ]);
  for (let cut = 1; cut < input.length; cut++) {
    const endpoint = new Endpoint("server");
    endpoint.receive(input.subarray(0, cut), input.subarray(cut));
    const recorder = new Recorder();
    endpoint.exchanges[0]?.receive(recorder);
    endpoint.receive(SETTINGS);
    assert.deepEqual([outcome(endpoint), recorder.bytes], ["fine", 5], `cut at ${cut}`);
  }
});
