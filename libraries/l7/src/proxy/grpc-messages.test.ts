import assert from "node:assert/strict";
import { test } from "node:test";
import { GrpcMessageCounter } from "./grpc-messages.ts";

const message = (bytes: number): Buffer => {
  const framed = Buffer.alloc(5 + bytes, 0xff);
  framed.writeUInt8(0, 0);
  framed.writeUInt32BE(bytes, 1);
  return framed;
};
const body = Buffer.concat([message(3), message(0), message(300), message(1)]);

for (const size of [1, 2, 4, 5, 7, 64, body.length]) {
  test(`GrpcMessageCounter counts four messages in pieces of ${size}`, () => {
    const counter = new GrpcMessageCounter();
    for (let at = 0; at < body.length; at += size) counter.count(body.subarray(at, at + size));
    assert.equal(counter.messages, 4);
  });
}

test("GrpcMessageCounter does not count an incomplete prefix", () => {
  const counter = new GrpcMessageCounter();
  counter.count(body.subarray(0, 4));
  assert.equal(counter.messages, 0);
});
