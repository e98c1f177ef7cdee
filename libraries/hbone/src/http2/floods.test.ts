/** Cheap frames in masses: bounded, then the connection ends (CVE-2019-9512 and its family, CVE-2023-44487). */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ErrorCode, FrameType } from "./constants.ts";
import { FLOOD_ALLOWANCES } from "./flood-guard.ts";
import { CONNECT, Endpoint, frame, headersFrame, outcome, PREFACE, uint32 } from "./frames.fixture.ts";

const OPEN = headersFrame(1, CONNECT);
const OPEN3 = headersFrame(3, CONNECT);
const SETTINGS = frame(FrameType.settings, 0, 0);
const data = (streamId: number, bytes: number): Buffer =>
  frame(FrameType.data, 0, streamId, Buffer.alloc(bytes));
const many = (count: number, make: (index: number) => Uint8Array): Uint8Array[] =>
  Array.from({ length: count }, (_, index) => make(index));
const rapid = (index: number): Buffer => {
  const id = 2 * index + 1;
  return Buffer.concat([headersFrame(id, CONNECT), frame(FrameType.rstStream, 0, id, uint32(8))]);
};
const FLOODS: readonly (readonly [name: string, input: readonly Uint8Array[]])[] = [
  ["PING", many(FLOOD_ALLOWANCES.ping.burst + 1, () => frame(FrameType.ping, 0, 0, Buffer.alloc(8)))],
  ["SETTINGS", many(FLOOD_ALLOWANCES.settings.burst + 1, () => SETTINGS)],
  ["rapid reset", many(FLOOD_ALLOWANCES.earlyReset.burst + 1, rapid)],
  ["empty DATA", [OPEN, ...many(FLOOD_ALLOWANCES.noise.burst + 1, () => data(1, 0))]],
  [
    "PRIORITY",
    many(FLOOD_ALLOWANCES.noise.burst + 1, () => frame(FrameType.priority, 0, 1, Buffer.alloc(5))),
  ],
  ["unknown frames", many(FLOOD_ALLOWANCES.noise.burst + 1, () => frame(0xee, 0, 0))],
  [
    "streams beyond the limit",
    many(200 + FLOOD_ALLOWANCES.refusedStream.burst + 1, (index) => headersFrame(2 * index + 1, CONNECT)),
  ],
  [
    "malformed requests",
    many(FLOOD_ALLOWANCES.refusedStream.burst + 1, (index) => headersFrame(2 * index + 1, [])),
  ],
  [
    "data that nobody may send: window of the connection",
    [
      OPEN,
      OPEN3,
      headersFrame(5, CONNECT),
      headersFrame(7, CONNECT),
      headersFrame(9, CONNECT),
      ...many(20, (index) => data(1 + 2 * Math.floor(index / 4), 1024 * 1024)),
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

test("allowances refill with time", () => {
  const endpoint = new Endpoint("server");
  endpoint.receive(PREFACE);
  for (let second = 0; second < 100; second++) {
    endpoint.nowMs = second * 1000;
    endpoint.receive(
      ...many(FLOOD_ALLOWANCES.ping.perSecond, () => frame(FrameType.ping, 0, 0, Buffer.alloc(8))),
    );
    endpoint.takeOutput();
  }
  assert.equal(endpoint.failure, undefined);
});
