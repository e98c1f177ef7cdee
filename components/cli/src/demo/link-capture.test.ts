import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { readCapture } from "./link-capture.ts";

function record(frame: Buffer): Buffer {
  const header = Buffer.alloc(16);
  header.writeUInt32LE(frame.length, 8);
  header.writeUInt32LE(frame.length, 12);
  return Buffer.concat([header, frame]);
}

function tcpFrame(from: number, to: number, payload: string): Buffer {
  const frame = Buffer.alloc(54);
  frame.writeUInt16BE(0x0800, 12);
  frame[14] = 0x45;
  frame.writeUInt16BE(from, 34);
  frame.writeUInt16BE(to, 36);
  return Buffer.concat([frame, Buffer.from(payload)]);
}

test("packets are counted by the well-known port, in both directions", () => {
  const file = Buffer.concat([
    Buffer.alloc(24),
    record(tcpFrame(40_000, 15_008, "")),
    record(tcpFrame(15_008, 40_000, "")),
    record(tcpFrame(50_123, 8080, "secret")),
  ]);
  const crossing = readCapture(file);
  assert.deepEqual(
    [...crossing.packetsByPort],
    [
      [15_008, 2],
      [8080, 1],
    ],
  );
  assert.ok(crossing.contains("secret"));
  assert.ok(!crossing.contains("other"));
});

test("any bytes are read without a fault", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => void readCapture(Buffer.from(bytes))));
});
