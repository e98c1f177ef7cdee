/** Cheap frames in masses: bounded, then the connection ends (CVE-2019-9512 and its family, CVE-2023-44487). */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ErrorCode, FrameType } from "./constants.ts";
import { FLOOD_ALLOWANCES, RAPID_RESET_MS } from "./flood-guard.ts";
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
  ["rapid reset", many(FLOOD_ALLOWANCES.rapidReset.burst + 1, rapid)],
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

test("callers that give up on a port which hangs do not end the connection of others", () => {
  const endpoint = new Endpoint("server");
  endpoint.receive(PREFACE, OPEN);
  const healthy = endpoint.requests[0]?.stream;
  healthy?.respond(200, [], false);
  const [callers, giveUpMs, lastMs] = [90, 250, 60_000];
  let [opened, reset] = [1, 1];
  for (let nowMs = 0; nowMs <= lastMs; nowMs += giveUpMs) {
    endpoint.nowMs = nowMs;
    for (; reset < opened; reset++)
      endpoint.receive(frame(FrameType.rstStream, 0, 2 * reset + 1, uint32(ErrorCode.cancel)));
    for (const last = opened + callers; opened < last; opened++)
      endpoint.receive(headersFrame(2 * opened + 1, CONNECT));
    endpoint.takeOutput();
  }
  assert.equal(endpoint.failure, undefined);
  assert.ok(reset > 10 * FLOOD_ALLOWANCES.rapidReset.burst);
  assert.equal(endpoint.http2.streams.size, 1 + callers);
  assert.equal(healthy?.gone, false);
});

for (const [name, ageMs, ends] of [
  ["just within the bound", RAPID_RESET_MS - 1, true],
  ["at the bound", RAPID_RESET_MS, false],
] as const)
  test(`resets ${name} ${ends ? "are" : "are not"} a rapid reset`, () => {
    const endpoint = new Endpoint("server");
    endpoint.receive(PREFACE);
    // All the streams that the bound permits, again and again, faster than the allowance refills.
    for (let id = 1; endpoint.failure === undefined && id < 6000; id += 400) {
      const ids = Array.from({ length: 200 }, (_, index) => id + 2 * index);
      endpoint.receive(...ids.map((one) => headersFrame(one, CONNECT)));
      endpoint.nowMs += ageMs;
      endpoint.receive(...ids.map((one) => frame(FrameType.rstStream, 0, one, uint32(8))));
      endpoint.takeOutput();
    }
    assert.equal(endpoint.failure?.code, ends ? ErrorCode.enhanceYourCalm : undefined);
  });

test("a stream that is answered is not a rapid reset", () => {
  const endpoint = new Endpoint("server");
  endpoint.receive(PREFACE);
  for (let index = 0; index < 2 * FLOOD_ALLOWANCES.rapidReset.burst; index++) {
    endpoint.receive(headersFrame(2 * index + 1, CONNECT));
    endpoint.requests.at(-1)?.stream.respond(200, [], false);
    endpoint.receive(frame(FrameType.rstStream, 0, 2 * index + 1, uint32(8)));
    endpoint.takeOutput();
  }
  assert.equal(endpoint.failure, undefined);
});
