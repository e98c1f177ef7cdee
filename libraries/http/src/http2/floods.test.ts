/** Cheap frames in masses: bounded, then the connection ends (CVE-2019-9512 and its family, CVE-2023-44487, CVE-2025-8671). */
import assert from "node:assert/strict";
import { test } from "node:test";
import { frame, headersFrame, uint32 } from "@meltemi/testkit";
import { HeaderFields } from "../headers.ts";
import { ErrorCode, Flag, FrameType } from "./constants.ts";
import { FLOOD_ALLOWANCES, RAPID_RESET_MS } from "./flood-guard.ts";
import { dataFrame, Endpoint, GET, outcome, POST, PREFACE, Recorder, SETTINGS } from "./frames.fixture.ts";

const OPEN = headersFrame(1, POST);
const many = (count: number, make: (index: number) => Uint8Array): Uint8Array[] =>
  Array.from({ length: count }, (_, index) => make(index));
const reset = (id: number, code: number = ErrorCode.cancel): Buffer =>
  frame(FrameType.rstStream, 0, id, uint32(code));
const BURST = FLOOD_ALLOWANCES.noise.burst + 1;
const REFUSALS = FLOOD_ALLOWANCES.refusedStream.burst + 1;
/** Beyond the free ones. */
const LATE = 1100;

const FLOODS: readonly (readonly [name: string, input: readonly Uint8Array[]])[] = [
  ["PING", many(FLOOD_ALLOWANCES.ping.burst + 1, () => frame(FrameType.ping, 0, 0, Buffer.alloc(8)))],
  [
    "PING acknowledgements",
    many(FLOOD_ALLOWANCES.ping.burst + 1, () => frame(FrameType.ping, Flag.ack, 0, Buffer.alloc(8))),
  ],
  ["SETTINGS", many(FLOOD_ALLOWANCES.settings.burst + 1, () => SETTINGS)],
  [
    "rapid reset",
    many(FLOOD_ALLOWANCES.rapidReset.burst + 1, (index) =>
      Buffer.concat([headersFrame(2 * index + 1, GET, true), reset(2 * index + 1)]),
    ),
  ],
  ["empty DATA", [OPEN, ...many(BURST, () => dataFrame(1, 0))]],
  [
    "DATA of padding alone",
    [OPEN, ...many(BURST, () => frame(FrameType.data, Flag.padded, 1, Buffer.from([1, 0])))],
  ],
  ["PRIORITY", many(BURST, () => frame(FrameType.priority, 0, 1, Buffer.alloc(5)))],
  ["unknown frames", many(BURST, () => frame(0xee, 0, 0))],
  [
    "window updates that nothing was sent for",
    [OPEN, ...many(BURST + LATE, () => frame(FrameType.windowUpdate, 0, 1, uint32(1)))],
  ],
  [
    "window updates for a closed stream",
    [OPEN, reset(1), ...many(BURST + LATE, () => frame(FrameType.windowUpdate, 0, 1, uint32(1)))],
  ],
  ["resets of a closed stream", [OPEN, ...many(BURST + LATE, () => reset(1))]],
  ["streams beyond the limit", many(100 + REFUSALS, (index) => headersFrame(2 * index + 1, GET))],
  ["malformed requests", many(REFUSALS, (index) => headersFrame(2 * index + 1, []))],
  [
    "heads that are too large",
    many(REFUSALS, (index) =>
      frame(FrameType.headers, Flag.endHeaders, 2 * index + 1, Buffer.alloc(150, 0x82)),
    ),
  ],
  [
    "streams that we are made to reset by a window update",
    many(REFUSALS, (index) =>
      Buffer.concat([
        headersFrame(2 * index + 1, GET, true),
        frame(FrameType.windowUpdate, 0, 2 * index + 1, uint32(0)),
      ]),
    ),
  ],
  [
    "streams that we are made to reset by DATA after the end",
    many(REFUSALS, (index) =>
      Buffer.concat([headersFrame(2 * index + 1, GET, true), dataFrame(2 * index + 1, 1)]),
    ),
  ],
  [
    "streams that we are made to reset by a body that is too long",
    many(REFUSALS, (index) =>
      Buffer.concat([
        headersFrame(2 * index + 1, [...POST, ["content-length", "1"]]),
        dataFrame(2 * index + 1, 2),
      ]),
    ),
  ],
  [
    "data that nobody may send: window of the connection",
    [
      ...many(20, (index) => headersFrame(2 * index + 1, POST)),
      ...many(80, (index) => dataFrame(1 + 2 * Math.floor(index / 4), 64 * 1024)),
    ],
  ],
];
for (const [name, input] of FLOODS) {
  test(`flood of ${name} ends the connection`, () => {
    const endpoint = new Endpoint("server");
    endpoint.receive(PREFACE);
    let output = "";
    for (const part of input) {
      endpoint.receive(part);
      const seen = outcome(endpoint);
      if (seen.startsWith("goaway")) output = seen;
    }
    assert.match(output, /^goaway (ENHANCE_YOUR_CALM|FLOW_CONTROL_ERROR)$/);
    assert.equal(endpoint.http2.streams.size, 0);
  });
}

test("a handler hears of each stream that the client made us reset", () => {
  const endpoint = new Endpoint("server");
  endpoint.receive(PREFACE, headersFrame(1, GET, true));
  const recorder = new Recorder();
  endpoint.exchanges[0]?.receive(recorder);
  endpoint.receive(frame(FrameType.windowUpdate, 0, 1, uint32(0)));
  assert.equal(recorder.fault?.kind, "protocol");
});

test("a server may send informational heads, but not without end", () => {
  const endpoint = new Endpoint("client");
  const recorder = new Recorder();
  endpoint.send({}, true, recorder);
  endpoint.receive(SETTINGS, ...many(BURST, () => headersFrame(1, [[":status", "103"]])));
  assert.equal(endpoint.failure?.code, ErrorCode.enhanceYourCalm);
});

test("HPACK bomb: a list that unfolds beyond the limit costs no more memory than the limit", () => {
  const endpoint = new Endpoint("server");
  // One entry of 4000 bytes, referred to ten thousand times: 40 MB.
  const bomb = Buffer.concat([
    Buffer.from([0x40, 1, 0x61, 0x7f, ...[0xa1, 0x1e]]),
    Buffer.alloc(4000, 0x61),
    Buffer.alloc(10_000, 0xbe),
  ]);
  endpoint.receive(PREFACE, frame(FrameType.headers, Flag.endHeaders, 1, bomb));
  assert.equal(outcome(endpoint), "status 431");
  assert.deepEqual([endpoint.exchanges.length, endpoint.refusals], [0, [431]]);
  assert.equal(endpoint.http2.closed, false);
});

test("a peer that makes us answer and does not read is cut", () => {
  const endpoint = new Endpoint("server");
  endpoint.receive(PREFACE);
  for (let second = 0; endpoint.failure === undefined && second < 10_000; second++) {
    endpoint.nowMs = second * 1000;
    endpoint.receive(...many(40, () => frame(FrameType.ping, 0, 0, Buffer.alloc(8))));
  }
  assert.equal(endpoint.failure?.code, ErrorCode.enhanceYourCalm);
  assert.ok(endpoint.http2.outbox.heldBytes < 1024 * 1024);
});

test("a busy client that resets and updates each stream once it is over is no flood", () => {
  const endpoint = new Endpoint("server");
  endpoint.receive(PREFACE);
  for (let index = 0; index < 20_000; index++) {
    const id = 2 * index + 1;
    endpoint.receive(headersFrame(id, GET, true));
    const exchange = endpoint.exchanges.pop();
    exchange?.respond({ status: 200, headers: new HeaderFields() }, false);
    exchange?.write(Buffer.alloc(10), false);
    exchange?.end();
    endpoint.receive(
      frame(FrameType.windowUpdate, 0, id, uint32(10)),
      frame(FrameType.windowUpdate, 0, 0, uint32(10)),
      reset(id, ErrorCode.noError),
    );
    endpoint.takeOutput();
  }
  assert.equal(endpoint.failure, undefined);
});

for (const [name, ageMs, ends] of [
  ["just within the bound", RAPID_RESET_MS - 1, true],
  ["at the bound", RAPID_RESET_MS, false],
] as const)
  test(`resets ${name} ${ends ? "are" : "are not"} a rapid reset`, () => {
    const endpoint = new Endpoint("server");
    endpoint.receive(PREFACE);
    // All the streams that the bound permits, again and again, faster than the allowance refills.
    for (let id = 1; endpoint.failure === undefined && id < 6000; id += 200) {
      const ids = Array.from({ length: 100 }, (_, index) => id + 2 * index);
      endpoint.receive(...ids.map((one) => headersFrame(one, GET, true)));
      endpoint.nowMs += ageMs;
      endpoint.receive(...ids.map((one) => reset(one)));
      endpoint.takeOutput();
    }
    assert.equal(endpoint.failure?.code, ends ? ErrorCode.enhanceYourCalm : undefined);
  });
