/** Any cut, any frames, any bytes. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { frame, headersFrame, uint32 } from "@meltemi/testkit";
import fc from "fast-check";
import { HeaderFields } from "../headers.ts";
import { ErrorCode, FrameType } from "./constants.ts";
import {
  dataFrame,
  Endpoint,
  encoded,
  GET,
  outcome,
  POST,
  PREFACE,
  Recorder,
  SETTINGS,
  WEBSOCKET,
} from "./frames.fixture.ts";

test("property: whatever the cut, a conversation is the same", () => {
  const input = Buffer.concat([
    PREFACE,
    headersFrame(1, [...POST, ["content-length", "7"]]),
    dataFrame(1, "abc"),
    headersFrame(3, GET, true),
    dataFrame(1, "defg"),
    headersFrame(1, [["t", "1"]], true),
    headersFrame(5, WEBSOCKET),
    frame(FrameType.ping, 0, 0, Buffer.alloc(8)),
    frame(FrameType.rstStream, 0, 5, uint32(ErrorCode.cancel)),
  ]);
  const serve = (pieces: readonly Uint8Array[]): unknown => {
    const server = new Endpoint("server");
    const recorders: Recorder[] = [];
    for (const piece of pieces) {
      server.receive(piece);
      for (const exchange of server.exchanges.slice(recorders.length)) {
        const recorder = new Recorder();
        recorders.push(recorder);
        exchange.receive(recorder);
      }
    }
    server.receive(SETTINGS);
    return recorders.map(({ text, log }) => ({ text, log }));
  };
  const want = serve([input]);
  fc.assert(
    fc.property(fc.array(fc.nat(input.length), { maxLength: 12 }), (cuts) => {
      const ends = [...cuts.toSorted((a, b) => a - b), input.length];
      assert.deepEqual(serve(ends.map((end, index) => input.subarray(ends[index - 1] ?? 0, end))), want);
    }),
  );
});

test("fuzz: any frames give an answer or an end, never an exception", () => {
  const anyFrame = fc
    .tuple(
      fc.oneof(fc.integer({ min: 0, max: 10 }), fc.constant(0xee)),
      fc.nat(255),
      fc.oneof(fc.integer({ min: 0, max: 9 }), fc.nat(2 ** 32 - 1)),
      fc.oneof(fc.uint8Array({ maxLength: 40 }), fc.constantFrom(encoded(GET), encoded(POST), uint32(1))),
    )
    .map(([type, flags, id, payload]) => frame(type, flags, id, payload));
  for (const role of ["server", "client"] as const)
    fc.assert(
      fc.property(fc.array(anyFrame, { maxLength: 30 }), (frames) => {
        const endpoint = new Endpoint(role);
        if (role === "client") endpoint.send({}, false, new Recorder());
        endpoint.receive(role === "server" ? PREFACE : SETTINGS, ...frames);
        for (const exchange of endpoint.exchanges)
          exchange.respond({ status: 200, headers: new HeaderFields() }, true);
        outcome(endpoint);
        assert.equal(endpoint.failure !== undefined, endpoint.http2.closed);
      }),
      { numRuns: 1500 },
    );
});

test("fuzz: any bytes after the preface", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
      const endpoint = new Endpoint("server");
      endpoint.receive(PREFACE, bytes);
      outcome(endpoint);
    }),
    { numRuns: 2000 },
  );
});
